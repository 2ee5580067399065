package eventhub

import (
	"context"
	"errors"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"

	"erfailover/failover/fault"
)

// Event is one event as the hub keeps it.
type Event struct {
	At        time.Time // when the hub took it in
	Partition string
	Sequence  int64
	Body      []byte
}

// Past hands over what a hub took in from one instant up to another, partition by
// partition, oldest first within each. It only reads: no checkpoint, no ownership, no
// epoch, so that who consumes the hub is not disturbed; Store and Nonce are not used.
// It ends at the events that were there when it began. A zero to means all of these.
func Past(ctx context.Context, o Options, from, until time.Time, take func(Event) error) error {
	o = o.complete()
	client, err := azeventhubs.NewConsumerClient(o.Namespace, o.Hub, o.Group, o.Credential, &azeventhubs.ConsumerClientOptions{
		ApplicationID: "erfailover-replay", CustomEndpoint: o.Endpoint, TLSConfig: o.TLS,
		RetryOptions: azeventhubs.RetryOptions{RetryDelay: 500 * time.Millisecond, MaxRetryDelay: 10 * time.Second},
	})
	if err != nil {
		return &fault.Error{Op: "open the event hub", Target: o.Namespace + "/" + o.Hub, Kind: fault.Invalid, Hint: "check the namespace and the hub's name", Err: err}
	}
	defer client.Close(context.WithoutCancel(ctx))
	hub, err := client.GetEventHubProperties(ctx, nil)
	if err != nil {
		return unread(o, err)
	}
	for _, id := range hub.PartitionIDs {
		if err := o.past(ctx, client, id, from, until, take); err != nil {
			return err
		}
	}
	return nil
}

func unread(o Options, err error) error {
	return &fault.Error{Op: "read the event hub", Target: o.Namespace + "/" + o.Hub, Kind: fault.Unavailable, Hint: "check the identity's role Azure Event Hubs Data Receiver and the network", Err: err}
}

// past reads one partition.
func (o Options) past(ctx context.Context, client *azeventhubs.ConsumerClient, id string, from, until time.Time, take func(Event) error) error {
	props, err := client.GetPartitionProperties(ctx, id, nil)
	if err != nil {
		return unread(o, err)
	}
	if props.IsEmpty {
		return nil
	}
	start := azeventhubs.StartPosition{Earliest: to.Ptr(true)}
	if !from.IsZero() {
		start = azeventhubs.StartPosition{EnqueuedTime: to.Ptr(from.Add(-time.Millisecond))} // the hub hands over what is later
	}
	partition, err := client.NewPartitionClient(id, &azeventhubs.PartitionClientOptions{StartPosition: start})
	if err != nil {
		return unread(o, err)
	}
	defer partition.Close(context.WithoutCancel(ctx))
	if !from.IsZero() && props.LastEnqueuedOn.Before(from) {
		return nil
	}
	for quiet := time.Duration(0); quiet < quietPartition; quiet += o.Wait {
		wait, cancel := context.WithTimeout(ctx, o.Wait) // it waits for a full batch
		got, err := partition.ReceiveEvents(wait, o.Batch, nil)
		cancel()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			return unread(o, err)
		}
		for _, e := range got {
			quiet = 0
			event := Event{Partition: id, Sequence: e.SequenceNumber, Body: e.Body}
			if e.EnqueuedTime != nil {
				event.At = e.EnqueuedTime.UTC()
			}
			if !until.IsZero() && !event.At.Before(until) {
				return nil
			}
			if err := take(event); err != nil {
				return err
			}
			if e.SequenceNumber >= props.LastEnqueuedSequenceNumber {
				return nil
			}
		}
	}
	return nil // what was last there lies before from, or has expired meanwhile
}

// quietPartition is how long a partition that should hold more may say nothing.
const quietPartition = 10 * time.Second
