package fault_test

import (
	"testing"

	"landbridge.dev/testenv/bigip/fault"
)

func TestParseMethods(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"get": "GET", "Post": "POST", "write": "write", "DELETE": "DELETE"} {
		if r, err := fault.Parse("do=busy,method=" + text); err != nil || r.Method != want {
			t.Errorf("%s: %q, %v", text, r.Method, err)
		}
	}
	if _, err := fault.Parse("do=busy,method=read"); err == nil {
		t.Error("a method that no call has is taken: the fault would never strike, and nobody would know")
	}
}
