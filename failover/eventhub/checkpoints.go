package eventhub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/messaging/azeventhubs/v2"
	"github.com/go-json-experiment/json"

	"erfailover/failover/fault"
	"erfailover/failover/record"
)

// listPage is how many documents are listed at a time; a hub has at most 2,000
// partitions.
const listPage = 1000

// checkpoints keeps ownership and progress in the record. A claim is a
// compare-and-swap: of two instances that claim a partition, one wins.
type checkpoints struct {
	store record.Store
	now   func() time.Time
	nonce func() string
}

var _ azeventhubs.CheckpointStore = (*checkpoints)(nil)

func newCheckpoints(o Options) *checkpoints {
	return &checkpoints{store: o.Store, now: o.Now, nonce: o.Nonce}
}

// owner is the document of a partition's ownership.
type owner struct {
	Schema    int       `json:"schema"`
	Hub       string    `json:"hub"` // namespace/hub/group, for people
	Partition string    `json:"partition"`
	Owner     string    `json:"owner"`
	At        time.Time `json:"at"`
}

// place is the document of a partition's progress.
type place struct {
	Schema    int       `json:"schema"`
	Hub       string    `json:"hub"`
	Partition string    `json:"partition"`
	Sequence  *int64    `json:"sequence,omitempty"`
	Offset    *string   `json:"offset,omitempty"`
	At        time.Time `json:"at"`

	First   *int64  `json:"first,omitempty"`  // first sequence number that was counted
	Skipped int64   `json:"skipped,omitzero"` // events that the hub had forgotten before they were read
	Account Account `json:"account,omitzero"`
}

// prefix names the documents of one hub and group; their names may hold characters
// that a key may not.
func prefix(namespace, hub, group string) (key, name string) {
	name = strings.ToLower(namespace) + "/" + strings.ToLower(hub) + "/" + group
	sum := sha256.Sum256([]byte(name))
	return "eventhub/" + hex.EncodeToString(sum[:8]) + "/", name
}

// ClaimOwnership implements azeventhubs.CheckpointStore. Partitions that somebody
// else has claimed meanwhile are left out of the answer.
func (c *checkpoints) ClaimOwnership(ctx context.Context, wanted []azeventhubs.Ownership, _ *azeventhubs.ClaimOwnershipOptions) ([]azeventhubs.Ownership, error) {
	var won []azeventhubs.Ownership
	for _, w := range wanted {
		key, name := prefix(w.FullyQualifiedNamespace, w.EventHubName, w.ConsumerGroup)
		body, err := json.Marshal(owner{Schema: record.Schema, Hub: name, Partition: w.PartitionID, Owner: w.OwnerID, At: c.now().UTC()})
		if err != nil {
			return nil, err
		}
		doc := record.Document{Key: key + "owner-" + w.PartitionID, Nonce: c.nonce(), Body: body}
		if w.ETag != nil {
			doc.ETag = string(*w.ETag)
		}
		etag, err := c.store.Save(ctx, doc)
		if errors.Is(err, fault.Conflict) {
			continue
		}
		if err != nil {
			return nil, err
		}
		tag := azcore.ETag(etag)
		w.ETag, w.LastModifiedTime = &tag, c.now().UTC()
		won = append(won, w)
	}
	return won, nil
}

// ListOwnership implements azeventhubs.CheckpointStore.
func (c *checkpoints) ListOwnership(ctx context.Context, namespace, hub, group string, _ *azeventhubs.ListOwnershipOptions) ([]azeventhubs.Ownership, error) {
	var out []azeventhubs.Ownership
	err := c.each(ctx, namespace, hub, group, "owner-", func(doc record.Document) error {
		var o owner
		if err := json.Unmarshal(doc.Body, &o); err != nil {
			return err
		}
		tag := azcore.ETag(doc.ETag)
		out = append(out, azeventhubs.Ownership{ConsumerGroup: group, EventHubName: hub, FullyQualifiedNamespace: namespace,
			PartitionID: o.Partition, OwnerID: o.Owner, LastModifiedTime: o.At, ETag: &tag})
		return nil
	})
	return out, err
}

// ListCheckpoints implements azeventhubs.CheckpointStore.
func (c *checkpoints) ListCheckpoints(ctx context.Context, namespace, hub, group string, _ *azeventhubs.ListCheckpointsOptions) ([]azeventhubs.Checkpoint, error) {
	var out []azeventhubs.Checkpoint
	err := c.each(ctx, namespace, hub, group, "at-", func(doc record.Document) error {
		var p place
		if err := json.Unmarshal(doc.Body, &p); err != nil {
			return err
		}
		out = append(out, azeventhubs.Checkpoint{ConsumerGroup: group, EventHubName: hub, FullyQualifiedNamespace: namespace,
			PartitionID: p.Partition, SequenceNumber: p.Sequence, Offset: p.Offset})
		return nil
	})
	return out, err
}

// each loads the documents of one sort of a hub and group.
func (c *checkpoints) each(ctx context.Context, namespace, hub, group, sort string, take func(record.Document) error) error {
	key, _ := prefix(namespace, hub, group)
	keys, err := c.store.List(ctx, key+sort, "", listPage)
	if err != nil {
		return err
	}
	for _, k := range keys {
		doc, err := c.store.Load(ctx, k)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if err := take(doc); err != nil {
			return &fault.Error{Op: "read checkpoint", Target: k, Kind: fault.Corrupt, Hint: "delete the document; events since then are delivered again, which is harmless", Err: err}
		}
	}
	return nil
}

// SetCheckpoint implements azeventhubs.CheckpointStore. A checkpoint never goes
// back: of two instances that believe they own a partition, the one that is further
// stays.
func (c *checkpoints) SetCheckpoint(ctx context.Context, at azeventhubs.Checkpoint, _ *azeventhubs.SetCheckpointOptions) error {
	key, name := prefix(at.FullyQualifiedNamespace, at.EventHubName, at.ConsumerGroup)
	key += "at-" + at.PartitionID
	b, counts := ctx.Value(batchKey{}).(batch)
	for range 8 {
		next := place{Schema: record.Schema, Hub: name, Partition: at.PartitionID, Sequence: at.SequenceNumber, Offset: at.Offset, At: c.now().UTC()}
		doc := record.Document{Key: key, Nonce: c.nonce()}
		var before *place
		old, err := c.store.Load(ctx, key)
		switch {
		case errors.Is(err, fault.NotFound):
		case err != nil:
			return err
		default:
			var p place
			if json.Unmarshal(old.Body, &p) == nil && p.Sequence != nil && at.SequenceNumber != nil && *p.Sequence > *at.SequenceNumber {
				return nil
			}
			doc.ETag, before = old.ETag, &p
		}
		if counts {
			follows := false
			if next, follows = next.count(before, b); !follows {
				return &fault.Error{Op: "set checkpoint", Target: key, Kind: fault.Conflict, Hint: "another instance has taken the partition on; nothing is lost", Err: errors.New("these events were counted by another instance")}
			}
		}
		if doc.Body, err = json.Marshal(next); err != nil {
			return err
		}
		if _, err = c.store.Save(ctx, doc); !errors.Is(err, fault.Conflict) {
			return err
		}
	}
	return &fault.Error{Op: "set checkpoint", Target: key, Kind: fault.Conflict, Hint: "instances fight over a partition; it is tried again", Err: fmt.Errorf("lost eight times")}
}
