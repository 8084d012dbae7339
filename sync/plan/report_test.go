package plan_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// The JSON of a plan is read by users' scripts: what is in the file holds for
// as long as the schema's version does.
func TestReportJSON(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(reported(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/report.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(bytes.TrimSpace(want)), string(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Taking over what a former uid tagged changes nothing but the owner, which an
// entry else leaves out.
func TestReportShowsAnOwnerThatChanges(t *testing.T) {
	t.Parallel()
	r := &plan.Report{}
	r.Add(dc1, cart, plan.Diff(input(follow(wantPool()), poolBy(once))))
	want := []plan.Entry{{
		Op: plan.Update, Kind: "pool", Name: path, Service: "shop/cart",
		Before: poolBy(once).Lines(), After: havePool().Lines(),
	}}
	if diff := cmp.Diff(want, r.Backends[0].Changes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestReportProblems(t *testing.T) {
	t.Parallel()
	r := &plan.Report{}
	r.AddProblems([]state.Problem{{Service: web, Reason: "B", Message: "2"}, {Service: cart, Reason: "B", Message: "1"}})
	r.AddProblems([]state.Problem{{Service: cart, Reason: "A", Message: "0"}, {Service: web, Reason: "B", Message: "2"}})
	want := []plan.ProblemEntry{
		{Service: "shop/cart", Reason: "A", Message: "0"},
		{Service: "shop/cart", Reason: "B", Message: "1"},
		{Service: "shop/web", Reason: "B", Message: "2"},
	}
	if diff := cmp.Diff(want, r.Problems); diff != "" {
		t.Errorf("sorted, each once (-want +got):\n%s", diff)
	}
}

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestReportTextSaysThatItCouldNotBeWritten(t *testing.T) {
	t.Parallel()
	err := reported().Text(full{})
	if err == nil || err.Error() != "plan: no space left on device" {
		t.Errorf("got %v", err)
	}
}

func TestChangeString(t *testing.T) {
	t.Parallel()
	c := plan.Change{Op: plan.Delete, Before: havePool(), Why: "is not wanted"}
	if got, want := c.String(), "delete bigip/dc1 pool /web/cart (is not wanted)"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
