package fault_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/testenv/bigip/fault"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want fault.Rule
		bad  bool
	}{
		{text: "do=busy", want: fault.Rule{Do: fault.Busy}},
		{text: "delay=2s", want: fault.Rule{Do: fault.Delay, Delay: 2 * time.Second}},
		{
			text: "method=write,path=/mgmt/tm/ltm/*,skip=1,count=3,do=status,status=500,body={\"a\":1,\"b\":2}",
			want: fault.Rule{Method: "write", Path: "/mgmt/tm/ltm/*", Skip: 1, Count: 3, Do: fault.Status, Status: 500, Body: `{"a":1,"b":2}`},
		},
		{text: "", bad: true},
		{text: "do=fly", bad: true},
		{text: "do=busy,when=later", bad: true},
		{text: "do=busy,path=[", bad: true},
		{text: "do=busy,count=many", bad: true},
	} {
		t.Run(c.text, func(t *testing.T) {
			t.Parallel()
			got, err := fault.Parse(c.text)
			if (err != nil) != c.bad {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(c.want, got); !c.bad && diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhichCallsAreHit(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, method, path string
		rule               fault.Rule
		hit                bool
	}{
		{"anything", "GET", "/mgmt/tm/ltm/pool", fault.Rule{}, true},
		{"a method", "GET", "/mgmt/tm/ltm/pool", fault.Rule{Method: "POST"}, false},
		{"writes", "PATCH", "/mgmt/tm/ltm/pool/~a~b", fault.Rule{Method: "write"}, true},
		{"reads are no writes", "GET", "/mgmt/tm/ltm/pool", fault.Rule{Method: "write"}, false},
		{"a prefix", "GET", "/mgmt/tm/ltm/pool/~a~b/members", fault.Rule{Path: "/mgmt/tm/ltm/pool"}, true},
		{"all below", "GET", "/mgmt/tm/ltm/pool/~a~b/members", fault.Rule{Path: "/mgmt/tm/ltm/*"}, true},
		{"a pattern within", "GET", "/mgmt/tm/ltm/pool/~a~b/members", fault.Rule{Path: "/mgmt/tm/ltm/*/*/members"}, true},
		{"another path", "GET", "/mgmt/tm/ltm/node", fault.Rule{Path: "/mgmt/tm/ltm/pool*"}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var rules fault.Rules
			c.rule.Do = fault.Busy
			id, err := rules.Add(c.rule)
			if err != nil {
				t.Fatal(err)
			}
			h := rules.Wrap(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}), fault.Effects{})
			w := httptest.NewRecorder()
			h.ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
			if got := w.Code == http.StatusServiceUnavailable; got != c.hit || (rules.Hits(id) == 1) != c.hit {
				t.Errorf("hit: %v, want %v", got, c.hit)
			}
		})
	}
}
