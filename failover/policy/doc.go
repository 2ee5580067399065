// Package policy judges: what we believe, what we did lately and what the
// operator allows, in; hold, move or return, with reasons, out.
//
// Guards are asked in one fixed order, and each has a reason code from a closed
// list. A refusal is a result like a move: it is recorded, shown and explained.
//
// The package is pure: it reads no clock, so a verdict can be recomputed.
package policy
