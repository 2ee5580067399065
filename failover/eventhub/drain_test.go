package eventhub

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
)

// onePartition hands out one event and notes the checkpoint.
type onePartition struct {
	given, noted int
}

func (p *onePartition) PartitionID() string { return "0" }

func (p *onePartition) ReceiveEvents(context.Context, int, *azeventhubs.ReceiveEventsOptions) ([]*azeventhubs.ReceivedEventData, error) {
	p.given++
	return []*azeventhubs.ReceivedEventData{{}}, nil
}

func (p *onePartition) UpdateCheckpoint(ctx context.Context, _ *azeventhubs.ReceivedEventData, _ *azeventhubs.UpdateCheckpointOptions) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	p.noted++
	return nil
}

func (p *onePartition) Close(context.Context) error { return nil }

// A program that is stopped while it saves an event notes that it did, and takes no more.
func TestStoppedInGoodOrder(t *testing.T) {
	for what, saved := range map[string]error{"saved": nil, "not saved": errors.New("the disk is full")} {
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		p := &onePartition{}
		Options{Wait: time.Second, Batch: 1}.complete().drain(ctx, p, func(context.Context, string, [][]byte) (Account, error) {
			stop()
			return Account{}, saved
		})
		want := 1
		if saved != nil {
			want = 0
		}
		if p.given != 1 || p.noted != want {
			t.Errorf("%s: %d batches taken, %d noted", what, p.given, p.noted)
		}
	}
}
