package annotation_test

import (
	"os"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"

	"landbridge.dev/config/annotation"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, k := range annotation.Keys() {
		if seen[k.Name] {
			t.Errorf("%s is there twice", k.Name)
		}
		seen[k.Name] = true
		if k.Class && k.Check == nil {
			t.Errorf("%s may stand in a class, whose values nothing checks", k.Name)
		}
		if found, ok := annotation.Find(k.Name); !ok || found.Name != k.Name || annotation.IsWritten(k.Name) != k.Written {
			t.Errorf("%s is found as %+v", k.Name, found)
		}
	}
	if _, ok := annotation.Find("colour"); ok || annotation.IsWritten("colour") {
		t.Error("there is a key colour")
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in, name, port string
		hasPort, ok    bool
	}{
		{"landbridge.dev/monitor", "monitor", "", false, true},
		{"landbridge.dev/monitor.http", "monitor", "http", true, true},
		{"landbridge.dev/monitor.53-udp", "monitor", "53-udp", true, true},
		{"landbridge.dev/monitor.", "monitor", "", true, true},
		{"example.com/monitor", "", "", false, false},
	} {
		name, port, hasPort, ok := annotation.Read(test.in)
		if ok != test.ok || ok && (name != test.name || port != test.port || hasPort != test.hasPort) {
			t.Errorf("%s: %q, %q, %t, %t", test.in, name, port, hasPort, ok)
		}
	}
}

// examples are good and bad values of a key.
type examples struct{ Good, Bad []string }

// values reads the examples of each key that has a check.
func values(t testing.TB) map[string]examples {
	t.Helper()
	raw, err := os.ReadFile("testdata/values.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]examples
	if err := yaml.UnmarshalStrict(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestChecks(t *testing.T) {
	t.Parallel()
	all := values(t)
	for _, k := range annotation.Keys() {
		of, listed := all[k.Name]
		if (k.Check != nil) != listed {
			t.Errorf("%s has a check: %t, and values here: %t", k.Name, k.Check != nil, listed)
			continue
		}
		for _, v := range of.Good {
			if err := k.Check(v); err != nil {
				t.Errorf("%s: %q is refused: %v", k.Name, v, err)
			}
		}
		for _, v := range of.Bad {
			if k.Check(v) == nil {
				t.Errorf("%s: %q is taken", k.Name, v)
			}
		}
	}
}

// What is read keeps the order in which it was written.
func TestParse(t *testing.T) {
	t.Parallel()
	monitors, err := annotation.ParseMonitors("https HEAD /b 2xx  + tcp + /Common/a")
	same(t, err, []annotation.Monitor{{Type: "https", Method: "HEAD", URI: "/b", Status: "2xx"}, {Type: "tcp"}, {Path: "/Common/a"}}, monitors)
	profiles, err := annotation.ParseProfiles("/Common/tcp ;client,/Common/b")
	same(t, err, []annotation.Profile{{Path: "/Common/tcp", Side: "client"}, {Path: "/Common/b"}}, profiles)
	paths, err := annotation.ParsePaths("/Common/b, /Common/a")
	same(t, err, []string{"/Common/b", "/Common/a"}, paths)
	for value, want := range map[string]time.Duration{"none": -1, "0s": 0, "5m": 5 * time.Minute} {
		d, err := annotation.ParseDrain(value)
		same(t, err, want, d)
	}
	monitors, err = annotation.ParseMonitors("none")
	same(t, err, []annotation.Monitor(nil), monitors)
}

func same(t *testing.T, err error, want, got any) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Nothing that is taken for a path or a request holds what a device, or the
// tmsh behind its API, would read as the end of a word.
func FuzzChecks(f *testing.F) {
	for _, v := range values(f) {
		for _, s := range slices.Concat(v.Good, v.Bad) {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, k := range annotation.Keys() {
			if k.Check != nil {
				_ = k.Check(value)
			}
		}
		monitors, err := annotation.ParseMonitors(value)
		for _, m := range monitors {
			if err == nil && !clean(m.Path+m.Type+m.Method+m.URI+m.Status) {
				t.Errorf("%q gives %+v", value, m)
			}
		}
		paths, err := annotation.ParsePaths(value)
		for _, p := range paths {
			if err == nil && !clean(p) {
				t.Errorf("%q gives %q", value, p)
			}
		}
	})
}

func clean(s string) bool {
	for _, c := range s {
		if c <= ' ' || c > '~' || c == '"' || c == '\\' || c == '{' || c == '}' {
			return false
		}
	}
	return true
}
