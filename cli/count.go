package cli

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json"
	"github.com/spf13/cobra"

	"erfailover/failover/eventhub"
	"erfailover/failover/record"
)

// countCommand reconciles what came out of the event hub with what the record holds.
func countCommand(path *string) *cobra.Command {
	return &cobra.Command{Use: "count", Short: "Account for every event of the hub: what became of it, and whether the sums agree", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withStore(*path, cmd.ErrOrStderr(), func(s record.Store) error { return countEvents(cmd.Context(), s, cmd.OutOrStdout()) })
		}}
}

// counted is what the record itself holds.
type counted struct {
	applied, unknown int64
	letters          int
}

// countEvents prints the account and refuses one that does not balance.
func countEvents(ctx context.Context, s record.Store, w io.Writer) error {
	list, err := eventhub.Progresses(ctx, s)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		fmt.Fprintln(w, "no event hub has been consumed without the Functions host into this record; the host keeps its own checkpoints")
		return nil
	}
	var sum eventhub.Account
	var wrong []error
	fmt.Fprintf(w, "%-10s %10s %10s %10s %10s %10s %10s\n", "partition", "first", "last", "events", "taken", "foreign", "broken")
	for _, p := range list {
		a := p.Account
		sum = sum.Add(a)
		fmt.Fprintf(w, "%-10s %10d %10d %10d %10d %10d %10d\n", clean(p.Partition), p.First, p.Last, a.Events, a.Taken, a.Foreign, a.Broken)
		if p.Skipped > 0 {
			fmt.Fprintf(w, "%-10s %d events had left the hub before they were read\n", "", p.Skipped)
		}
		if !p.Balanced() {
			wrong = append(wrong, fmt.Errorf("partition %s of %s: %d events between %d and %d are not accounted for", clean(p.Partition), clean(p.Hub), p.Last-p.First+1-a.Events-p.Skipped, p.First, p.Last))
		}
	}
	fmt.Fprintf(w, "%-10s %10s %10s %10d %10d %10d %10d\n", "all", "", "", sum.Events, sum.Taken, sum.Foreign, sum.Broken)
	fates := sum.Applied + sum.Repeated + sum.SetAside + sum.Refused + sum.Unknown
	fmt.Fprintf(w, "\n%d events gave %d signals: %d applied, %d repeated, %d set aside, %d refused, %d about resources that are not configured\n",
		sum.Taken, sum.Signals, sum.Applied, sum.Repeated, sum.SetAside, sum.Refused, sum.Unknown)
	if fates < sum.Signals { // a signal about several circuits is counted for each
		wrong = append(wrong, fmt.Errorf("%d signals, and of %d it is not said what became of them", sum.Signals, sum.Signals-fates))
	}
	have, err := inRecord(ctx, s)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "the record holds %d applied signals, %d about unknown resources, %d dead letters; what is more than above came another way or is the program's own, what is less is the same message twice\n",
		have.applied, have.unknown, have.letters)
	if have.applied < sum.Applied || have.unknown < sum.Unknown {
		wrong = append(wrong, fmt.Errorf("the record holds %d applied signals and %d of unknown resources, %d and %d were counted", have.applied, have.unknown, sum.Applied, sum.Unknown))
	}
	if sum.Broken > 0 && have.letters == 0 {
		wrong = append(wrong, fmt.Errorf("%d events were kept as dead letters, and there are none", sum.Broken))
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	fmt.Fprintln(w, "every event is accounted for")
	return nil
}

// inRecord counts what the documents of the record tell.
func inRecord(ctx context.Context, s record.Store) (counted, error) {
	var out counted
	keys, err := listAll(ctx, s, "circuit/")
	if err != nil {
		return out, err
	}
	for _, k := range keys {
		doc, err := s.Load(ctx, k)
		if err != nil {
			return out, err
		}
		var c record.Circuit
		if err := json.Unmarshal(doc.Body, &c); err != nil {
			return out, err
		}
		out.applied += c.Memory.Applied
	}
	if doc, err := s.Load(ctx, record.EstateKey); err == nil {
		var e record.Estate
		if err := json.Unmarshal(doc.Body, &e); err != nil {
			return out, err
		}
		out.unknown = e.Unknown
	}
	letters, err := listAll(ctx, s, "deadletter/")
	out.letters = len(letters)
	return out, err
}
