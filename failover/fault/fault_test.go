package fault

import (
	"errors"
	"fmt"
	"testing"
)

func TestKindAndHintAreFoundThroughWrapping(t *testing.T) {
	inner := &Error{Op: "set weight", Target: "gw1", Kind: Busy, Code: "AnotherOperationInProgress", Hint: "wait"}
	for _, c := range []struct {
		err  error
		kind Kind
		hint string
	}{
		{nil, "", ""},
		{errors.New("plain"), Internal, ""},
		{inner, Busy, "wait"},
		{fmt.Errorf("step 2 of 3: %w", inner), Busy, "wait"},
		{&Error{Op: "decide", Kind: Refused, Err: inner}, Refused, "wait"},
		{fmt.Errorf("lost: %w", Conflict), Conflict, ""},
		{errors.Join(errors.New("x"), inner), Busy, "wait"},
	} {
		if got := KindOf(c.err); got != c.kind {
			t.Errorf("%v: kind %q, want %q", c.err, got, c.kind)
		}
		if got := HintOf(c.err); got != c.hint {
			t.Errorf("%v: hint %q, want %q", c.err, got, c.hint)
		}
	}
	if !errors.Is(inner, Busy) || errors.Is(inner, Conflict) {
		t.Error("errors.Is does not tell kinds apart")
	}
}

func ExampleError() {
	fmt.Println(&Error{Op: "set weight", Target: "gw1", Kind: Busy, Code: "AnotherOperationInProgress", Err: errors.New("409")})
	fmt.Println(&Error{Kind: Corrupt})
	// Output:
	// set weight gw1: busy (AnotherOperationInProgress): 409
	// corrupt
}
