// Package eventhub consumes circuit events from Azure Event Hubs without the
// Functions host, for Container Apps, a cluster or a virtual machine.
//
//	partitions ──▶ Processor ──▶ deliver ──▶ saved ──▶ checkpoint
//
// A batch is checkpointed only after it was delivered, and delivered means saved: a
// batch that could not be saved is delivered again, to this instance or to another.
// What became of its events is saved with its checkpoint, so that each event of the
// hub is counted once, however often it was delivered.
// Instances share the partitions; who owns which, and how far each has come, stands
// in the record, by the same compare-and-swap as everything else.
package eventhub

import (
	"context"
	"crypto/tls"
	"errors"
	"sync"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/cenkalti/backoff/v4"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// Options say what to consume.
type Options struct {
	Namespace  string // "ns.servicebus.windows.net"
	Hub        string
	Group      string // consumer group; "" is $Default. Give the program one of its own
	Credential azcore.TokenCredential
	Store      record.Store // keeps ownership and checkpoints
	Now        func() time.Time
	Nonce      func() string // random, for the record

	Batch int           // events in one delivery; 0 is 64
	Wait  time.Duration // longest wait for a fuller batch; 0 is 1 s
	Beat  time.Duration // how often partitions are shared out; 0 is 10 s
	Lost  time.Duration // a partition whose owner is silent for so long is free; 0 is 60 s

	// Report is told what goes wrong and is tried again; nil drops it.
	Report func(what string, err error)

	Endpoint string      // host:port in place of Namespace's own, for tests and private endpoints
	TLS      *tls.Config // nil is the system's
}

// Deliver saves the events of one partition, oldest first, and says what became of
// them. An error asks for the same events again.
type Deliver func(ctx context.Context, partition string, bodies [][]byte) (Account, error)

// Run consumes until ctx ends, and then returns nil. Any other end is an error.
func Run(ctx context.Context, o Options, deliver Deliver) error {
	o = o.complete()
	client, err := azeventhubs.NewConsumerClient(o.Namespace, o.Hub, o.Group, o.Credential, &azeventhubs.ConsumerClientOptions{
		ApplicationID: "erfailover", CustomEndpoint: o.Endpoint, TLSConfig: o.TLS,
		RetryOptions: azeventhubs.RetryOptions{RetryDelay: 500 * time.Millisecond, MaxRetryDelay: 10 * time.Second},
	})
	if err != nil {
		return &fault.Error{Op: "open the event hub", Target: o.Namespace + "/" + o.Hub, Kind: fault.Invalid, Hint: "check the namespace and the hub's name", Err: err}
	}
	defer client.Close(context.WithoutCancel(ctx))
	processor, err := azeventhubs.NewProcessor(client, newCheckpoints(o), &azeventhubs.ProcessorOptions{
		UpdateInterval: o.Beat, PartitionExpirationDuration: o.Lost,
		StartPositions: azeventhubs.StartPositions{Default: azeventhubs.StartPosition{Earliest: to.Ptr(true)}}, // a new group misses nothing
	})
	if err != nil {
		return &fault.Error{Op: "open the event hub", Target: o.Hub, Kind: fault.Invalid, Err: err}
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			partition := processor.NextPartitionClient(ctx)
			if partition == nil {
				return
			}
			all.Go(func() { o.drain(ctx, partition, deliver) })
		}
	})
	err = processor.Run(ctx)
	all.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return &fault.Error{Op: "consume the event hub", Target: o.Namespace + "/" + o.Hub, Kind: fault.Unavailable, Hint: "check the identity's role Azure Event Hubs Data Receiver and the network", Err: err}
}

func (o Options) complete() Options {
	if o.Group == "" {
		o.Group = azeventhubs.DefaultConsumerGroup
	}
	if o.Batch <= 0 {
		o.Batch = 64
	}
	if o.Report == nil {
		o.Report = func(string, error) {}
	}
	for _, d := range []struct {
		v *time.Duration
		d time.Duration
	}{{&o.Wait, time.Second}, {&o.Beat, 10 * time.Second}, {&o.Lost, time.Minute}} {
		if *d.v <= 0 {
			*d.v = d.d
		}
	}
	return o
}

// partition is the part of a partition's client that is used.
type partition interface {
	PartitionID() string
	ReceiveEvents(ctx context.Context, count int, options *azeventhubs.ReceiveEventsOptions) ([]*azeventhubs.ReceivedEventData, error)
	UpdateCheckpoint(ctx context.Context, latest *azeventhubs.ReceivedEventData, options *azeventhubs.UpdateCheckpointOptions) error
	Close(ctx context.Context) error
}

// parting is how long a last checkpoint may take when the program is being stopped.
const parting = 5 * time.Second

// drain delivers one partition's events until it is lost to another instance or ctx
// ends.
func (o Options) drain(ctx context.Context, p partition, deliver Deliver) {
	defer p.Close(context.WithoutCancel(ctx))
	for ctx.Err() == nil {
		wait, cancel := context.WithTimeout(ctx, o.Wait)
		got, err := p.ReceiveEvents(wait, o.Batch, nil)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, context.Canceled) {
			o.Report("receive from partition "+p.PartitionID(), err)
			return // lost or broken: the processor hands it out again
		}
		if len(got) == 0 {
			continue
		}
		bodies := make([][]byte, len(got))
		for i, e := range got {
			bodies[i] = e.Body
		}
		account, err := o.insist(ctx, p.PartitionID(), bodies, deliver)
		if err != nil {
			return // not checkpointed: delivered again
		}
		if err := checkpoint(ctx, p, got, account); err != nil {
			o.Report("checkpoint of partition "+p.PartitionID(), err)
			return
		}
	}
}

// checkpoint notes that a batch is saved, also when ctx has just ended: a program that
// is stopped in good order leaves nothing to be delivered again.
func checkpoint(ctx context.Context, p partition, got []*azeventhubs.ReceivedEventData, account Account) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), parting)
	defer cancel()
	counted := context.WithValue(ctx, batchKey{}, batch{first: got[0].SequenceNumber, account: account})
	return p.UpdateCheckpoint(counted, got[len(got)-1], nil)
}

// insist delivers until it is saved. Waiting holds this partition alone; nothing is
// lost, for the hub keeps the events.
func (o Options) insist(ctx context.Context, id string, bodies [][]byte, deliver Deliver) (account Account, err error) {
	wait := backoff.NewExponentialBackOff(backoff.WithInitialInterval(500*time.Millisecond), backoff.WithMaxInterval(30*time.Second), backoff.WithMaxElapsedTime(0))
	err = backoff.RetryNotify(func() error {
		account, err = deliver(ctx, id, bodies)
		return err
	}, backoff.WithContext(wait, ctx), func(err error, _ time.Duration) { o.Report("deliver partition "+id, err) })
	return account, err
}
