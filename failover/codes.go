package failover

import (
	"fmt"
	"strings"

	"erfailover/failover/topology"
)

// Codes of journal entries and of log events, a closed list: alerts match them.
const (
	CodeDiscovered     = "estate.discovered"    // what exists was read
	CodeSignal         = "signal.noted"         // a signal changed what is remembered
	CodeState          = "circuit.state"        // a group's belief about a circuit changed
	CodeUnknown        = "signal.unknown"       // about a resource that is not configured
	CodeVerdict        = "verdict.changed"      // a group's verdict changed, holds included
	CodeOrder          = "order.accepted"       // a person ordered something
	CodeOrderAnswer    = "order.answered"       // what became of it
	CodeDue            = "order.due"            // a scheduled order's time has come
	CodeUnscheduled    = "order.cancelled"      // a scheduled order was taken off the list
	CodeBaseline       = "baseline.captured"    // the weights at rest were taken from Azure
	CodeDrift          = "weight.drifted"       // others changed a weight
	CodeDecided        = "operation.decided"    // the plan and its intents are stored
	CodeWaiting        = "operation.waiting"    // for approval
	CodeApplied        = "operation.applied"    // every write was read back
	CodeStep           = "step.ended"           // one write ended
	CodeConverged      = "operation.converged"  // the gateways' routes were seen
	CodeEnded          = "operation.ended"      // with its result
	CodeSuperseded     = "operation.superseded" // a newer decision took over
	CodeIntentClosed   = "intent.closed"        // an old write's outcome is known
	CodeLate           = "write.late"           // an old write of ours landed after it should have been able to
	CodeChanged        = "claim.changed"        // the second look differed from the first
	CodePaused         = "group.paused"         //
	CodeResumed        = "group.resumed"        //
	CodeKilled         = "estate.killed"        //
	CodeUnkilled       = "estate.unkilled"      //
	CodeAcked          = "group.acknowledged"   //
	CodeDrillBegun     = "drill.begun"
	CodeDrillOvertaken = "drill.overtaken"
	CodeDrillEnded     = "drill.ended"
	CodeAsked          = "read.asked"       // a slow read was begun
	CodeRejoined       = "journal.rejoined" // record and journal came back from different instants
	CodeRebased        = "record.rebased"   // the network shows a decision of ours that the record has lost
	CodeLeverArmed     = "lever.armed"      // a lever's deadline is stored, before it is pulled
	CodeLeverDue       = "lever.due"        // it is being put back
	CodeLeverBack      = "lever.back"       // what was cut was read back whole
	CodeWatchFailed    = "watch.failed"     // Azure's monitoring cannot be asked
	CodeWatchBack      = "watch.back"       // it can be asked again
	CodeLeverStuck     = "lever.stuck"      // it does not go back; a person must look
	CodeLeverAdopted   = "lever.adopted"    // the record went back, and had lost a lever that was pulled
)

// casAttempts bounds how often a lost compare-and-swap is tried again in one call.
const casAttempts = 8

// describe says in one line what was discovered.
func describe(est topology.Estate, problems int) string {
	text := fmt.Sprintf("%d circuits, %d gateways, %d connections, %d groups", len(est.Circuits), len(est.Gateways), len(est.Connections), len(est.Groups))
	if problems > 0 {
		text += fmt.Sprintf("; %d resources could not be read", problems)
	}
	return text
}

// cut splits "ID#test group".
func cut(monitor string) (id, group string, some bool) { return strings.Cut(monitor, "#") }

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
