// Package bench measures the program as a whole, each time against the plainest
// thing that does the same: ratios of one run, because milliseconds belong to the
// machine. docs/performance.md says how to read it.
package bench
