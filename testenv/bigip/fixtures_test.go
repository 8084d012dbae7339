package bigip_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/mcp"
)

// fixture is one answer of a device in our own words: names and addresses are
// ours, every key, type and default is as in the source it names.
type fixture struct {
	Name    string         `json:"name"`
	Source  string         `json:"source"`
	TMOS    string         `json:"tmos,omitempty"`
	Prepare []fixtureCall  `json:"prepare,omitempty"`
	Call    fixtureCall    `json:"call"`
	Status  int            `json:"status"`
	Want    map[string]any `json:"want"`
}

type fixtureCall struct {
	Method string         `json:"method"`
	Path   string         `json:"path"`
	Body   map[string]any `json:"body,omitempty"`
}

// fixtureClock makes times and transaction ids the same in every run.
func fixtureClock() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }

func TestFixtures(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/fixtures/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("fixtures: %v %v", files, err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".json"), func(t *testing.T) {
			t.Parallel()
			f := readFixture(t, file)
			d := device(t, bigip.Options{TMOS: f.TMOS, Partitions: []string{"web"}, Clock: fixtureClock})
			for _, c := range f.Prepare {
				must(t, d, c.Method, c.Path, c.Body)
			}
			var body any
			if f.Call.Body != nil {
				body = f.Call.Body
			}
			status, got := d.Do(f.Call.Method, f.Call.Path, body)
			if status != f.Status {
				t.Errorf("status %d, want %d", status, f.Status)
			}
			if diff := cmp.Diff(f.Want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", f.Source, diff)
			}
		})
	}
}

func readFixture(t *testing.T, file string) fixture {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var f fixture
	if err := json.Unmarshal(data, &f); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	v, err := mcp.DecodeJSON(data)
	if err != nil {
		t.Fatal(err)
	}
	f.Want, _ = v.(map[string]any)["want"].(map[string]any)
	return f
}
