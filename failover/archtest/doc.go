// Package archtest holds the rules of the tree as tests: who may import whom,
// what pure code must not touch, and how long a file or a function may be.
//
//	table_test.go    the import table, one row a package
//	imports_test.go  imports against the table; depguard against the table
//	bans_test.go     what pure and sequential code must not say
//	vars_test.go     no init, no mutable package variables
//	order_test.go    no dependence on map order
//	size_test.go     lengths and refused names
//	binary_test.go   what must not be linked
//	load_test.go     reading the tree
//	self_test.go     a bad snippet for every rule, on which it fires
//
// The rules read source files, not compiled packages, so they hold for every
// build tag and finish in a second or two.
package archtest
