// Package contest lets failover policies run head to head: the production health,
// policy and planner code, three rivals written from their described rules, and
// routing alone, each on the same generated years.
//
//	Params, seed ──▶ year: incidents ──▶ world: what is true, circuit by circuit
//	                                       │
//	                                       ├──▶ watch: what observers say, late, wrong or not at all
//	                                       │       │ the same for every policy
//	                                       │       ▼
//	                                       │     rival ──▶ writes, landing later
//	                                       ▼               │
//	                                     score ◀── what carries the traffic
//
// A policy sees observations and nothing else; what is true is known to the score
// alone. Everything is drawn by hash(seed, what, where, when), so a year is the same
// for every policy, whatever a policy does, and the same on every machine.
//
// The year is played event by event. Stretches in which nothing is wrong anywhere
// and a policy is at rest are passed over.
//
// The package is pure.
package contest
