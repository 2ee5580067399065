// A stand-in for an Event Hubs namespace, for tests: AMQP 1.0 with claims-based
// security, management reads, partitions, offsets, and theft by epoch. What it holds
// is gone when it ends, and it ends when its stdin does.
//
//   node standin.js <rhea> <key> <cert> <hub> <partitions>     prints its port
'use strict';
const fs = require('fs');
const [, , rheaPath, key, cert, hub, count] = process.argv;
const rhea = require(rheaPath);
process.stdin.on('end', () => process.exit(0)).resume();

// A transfer to a link that is gone ends the connections, which clients dial anew, not the namespace.
const connections = new Set();
process.on('uncaughtException', (e) => {
  console.error('stand-in: ' + e.message);
  for (const c of connections) c.socket.destroy();
  connections.clear();
});

const ids = Array.from({ length: Number(count) }, (_, i) => String(i));
const log = Object.fromEntries(ids.map((id) => [id, []])); // events by partition
const readers = []; // {sender, partition, next}
const replies = new Map(); // reply address -> sender
let turn = 0;

const container = rhea.create_container({ tcp_no_delay: true });
container.sasl_server_mechanisms.enable_anonymous();
container.on('connection_open', ({ connection }) => connections.add(connection));
container.on('disconnected', ({ connection }) => connections.delete(connection));

// Clients send to $cbs, $management, the hub or one of its partitions.
container.on('receiver_open', ({ receiver }) => {
  const target = receiver.remote.attach.target;
  receiver.local.attach.max_message_size = 1024 * 1024;
  receiver.set_target({ address: target && target.address });
  receiver.set_source(receiver.remote.attach.source || {});
});

// Clients read from $cbs, $management or a partition.
container.on('sender_open', ({ sender }) => {
  const source = sender.remote.attach.source;
  const target = sender.remote.attach.target;
  sender.local.attach.snd_settle_mode = 1;
  sender.set_source(source);
  sender.set_target(target || {});
  if (source.address.startsWith('$') || source.address.endsWith('/$management')) {
    replies.set(target.address, sender);
    return;
  }
  const path = source.address.split('/'); // hub/ConsumerGroups/g/Partitions/0
  const group = path[2];
  const partition = path[4];
  if (!log[partition]) {
    sender.close({ condition: 'amqp:not-found', description: 'no such partition' });
    return;
  }
  const epoch = sender.remote.attach.properties && sender.remote.attach.properties['com.microsoft:epoch'];
  if (epoch !== undefined) {
    for (const r of readers.filter((x) => x.partition === partition && x.group === group && x.sender.is_open())) {
      r.gone = true;
      r.sender.close({ condition: 'amqp:link:stolen', description: 'a receiver of a higher or equal epoch took over' });
    }
  }
  readers.push({ sender, partition, group, next: start(source.filter, log[partition]) });
});
container.on('sendable', pump);

// start reads the selector: where a reader wants to begin.
function start(filter, events) {
  const text = JSON.stringify(filter || {});
  const m = /x-opt-(offset|sequence-number|enqueued-time)\s*(>=?)\s*'([^']*)'/.exec(text);
  if (!m || m[3] === '-1') return 0;
  if (m[3] === '@latest') return events.length;
  const at = m[1] === 'enqueued-time' ? events.findIndex((e) => e.at.getTime() > Number(m[3])) : Number(m[3]);
  return at < 0 ? events.length : at + (m[2] === '>' && m[1] !== 'enqueued-time' ? 1 : 0);
}

// pump sends every reader what it has not seen and has credit for.
function pump() {
  for (const r of readers) {
    const events = log[r.partition];
    while (!r.gone && r.sender.is_open() && r.sender.sendable() && r.next < events.length) {
      const e = events[r.next];
      r.sender.send({
        message_annotations: {
          'x-opt-sequence-number': rhea.types.wrap_long(r.next),
          'x-opt-offset': String(r.next),
          'x-opt-enqueued-time': rhea.types.wrap_timestamp(e.at.getTime()),
        },
        body: rhea.message.data_section(e.body),
      });
      r.next++;
    }
  }
}

container.on('message', ({ message, receiver, delivery }) => {
  const address = receiver.remote.attach.target.address;
  if (address === '$cbs') return answer(message, 202, null);
  if (address.endsWith('$management')) return answer(message, 200, describe(message.application_properties));
  const parts = address.split('/');
  const partition = parts[1] === 'Partitions' ? parts[2] : ids[turn++ % ids.length];
  for (const body of bodies(message)) log[partition].push({ body, at: new Date() });
  delivery.accept();
  pump();
});

// bodies returns what a message holds; a batch arrives as the bytes of its sections.
function bodies(message) {
  if (!Buffer.isBuffer(message)) return [content(message)];
  const out = [];
  for (let i = 0; i + 3 < message.length; ) {
    if (message[i] !== 0x00 || message[i + 1] !== 0x53) throw new Error('unexpected section');
    const section = message[i + 2];
    i += 3;
    if (section !== 0x75) { i += skip(message, i); continue; }
    const long = message[i] === 0xb0;
    const size = long ? message.readUInt32BE(i + 1) : message[i + 1];
    i += long ? 5 : 2;
    out.push(content(rhea.message.decode(message.subarray(i, i + size))));
    i += size;
  }
  return out;
}

// skip returns how long the map or list at i is.
function skip(b, i) {
  if (b[i] === 0xc1 || b[i] === 0xc0) return 2 + b[i + 1];
  if (b[i] === 0xd1 || b[i] === 0xd0) return 5 + b.readUInt32BE(i + 1);
  if (b[i] === 0x45) return 1;
  throw new Error('unexpected type ' + b[i]);
}

function content(m) {
  const c = m.body && m.body.content !== undefined ? m.body.content : m.body;
  if (Array.isArray(c)) return Buffer.concat(c);
  return Buffer.isBuffer(c) ? c : Buffer.from(String(c));
}

function answer(request, status, body) {
  const sender = replies.get(request.reply_to) || [...replies.values()].find((s) => s.is_open() && s.name === request.reply_to);
  sender.send({
    to: request.reply_to,
    correlation_id: request.message_id,
    application_properties: { 'status-code': rhea.types.wrap_int(status), 'status-description': 'OK' },
    body,
  });
}

function describe(p) {
  if (p.type === 'com.microsoft:eventhub') {
    return {
      name: hub, type: p.type, created_at: new Date(0), partition_count: rhea.types.wrap_int(ids.length),
      partition_ids: rhea.types.wrap_array(ids, 0xa1), georeplication_factor: rhea.types.wrap_int(1),
    };
  }
  const events = log[p.partition];
  return {
    name: hub, partition: p.partition, type: p.type, begin_sequence_number: rhea.types.wrap_long(0),
    last_enqueued_sequence_number: rhea.types.wrap_long(events.length - 1), last_enqueued_offset: String(events.length - 1),
    last_enqueued_time_utc: events.length ? events[events.length - 1].at : new Date(0), is_partition_empty: events.length === 0,
  };
}

const server = container.listen({
  host: '127.0.0.1', port: 0, transport: 'tls', key: fs.readFileSync(key), cert: fs.readFileSync(cert), requestCert: false, rejectUnauthorized: false,
});
server.on('listening', () => console.log(server.address().port));
