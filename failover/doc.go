// Package failover is the loop: signals in, decisions stored, weights moved, the
// outcome proven. Its Engine has two doors and no third.
//
//	Handle(signals) ─▶ detect ─▶ advance each group touched
//	Tick()          ─▶ advance each group, linger while an operation runs
//
//	advance:  beliefs ─▶ verdict ─▶ claim ─▶ LOOK AGAIN ─▶ plan ─▶ store intents ─▶ begin
//	                        │ hold                                      │
//	                        ▼                                           ▼
//	                  journal, reads                  outcomes ─▶ read back ─▶ routes ─▶ traffic ─▶ ended
//
// The duties, in order:
//
//  1. Save the detection, even if nothing will be done.
//  2. Save the plan before the first write to Azure.
//  3. Save each outcome, with what resumes a running operation, before the next step.
//  4. Answer the host only after the last save; if a save fails, answer with an
//     error so that the host delivers again.
//
// One rule above all: after the claim, look again (reload the record, read the
// network, judge and plan again, compare the plans), then act.
//
// No call waits for Azure. A write is begun, what resumes it is saved, and the call
// returns; a later Tick, of any instance, goes on. So a crash at any instant costs
// one tick.
//
// The engine is blocking, single-threaded code over ports, with no goroutine and
// no clock of its own.
package failover
