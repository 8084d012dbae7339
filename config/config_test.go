package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/config"
)

// Each file says in its first lines why it is refused; one that does not is
// valid.
func TestFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) < 40 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			t.Parallel()
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var want []string
			for line := range strings.Lines(string(raw)) {
				if refusal, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "# refused: "); ok {
					want = append(want, refusal)
				}
			}
			_, err = config.Parse(raw)
			var got []string
			if err != nil {
				got = strings.Split(err.Error(), "\n")
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	c := parse(t, minimal+device)
	b := c.BIGIP[0]
	got := map[string]any{
		"mode": c.Mode, "applies": c.Applies(), "loginProvider": b.LoginProvider, "memberType": b.MemberType, "nodePartition": b.NodePartition,
		"maxNodes": b.NodePort.MaxNodes, "resync": b.Resync(), "calls": b.MaxConcurrentCalls,
		"maxDeletePercent": *c.Brakes.MaxDeletePercent, "minDelete": *c.Brakes.MinDelete, "window": time.Duration(*c.Brakes.Window),
		"finalizerTimeout": time.Duration(c.FinalizerTimeout),
	}
	want := map[string]any{
		"mode": "apply", "applies": true, "loginProvider": "tmos", "memberType": "pod", "nodePartition": "Common",
		"maxNodes": 100, "resync": 5 * time.Minute, "calls": 4,
		"maxDeletePercent": 30, "minDelete": 10, "window": 10 * time.Minute,
		"finalizerTimeout": time.Duration(0),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// A 0 that is written is a value, and not a default.
func TestZeroIsAValue(t *testing.T) {
	t.Parallel()
	c := parse(t, minimal+device+"    resyncInterval: 0s\nbrakes: {maxDeletePercent: 0, minDelete: 0}\n")
	if c.BIGIP[0].Resync() != 0 || *c.Brakes.MaxDeletePercent != 0 || *c.Brakes.MinDelete != 0 {
		t.Errorf("got %+v, %+v", c.BIGIP[0].Resync(), c.Brakes)
	}
}

func TestApplies(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"paused: true\n", "mode: plan\n"} {
		if parse(t, minimal+line).Applies() {
			t.Errorf("with %q it applies", line)
		}
	}
}

func TestLookups(t *testing.T) {
	t.Parallel()
	c := parse(t, minimal+device+"addressPools:\n  - {name: public, ranges: [203.0.113.1]}\n")
	if b, ok := c.Device("dc1"); !ok || b.Name != "dc1" {
		t.Errorf("device dc1: %v, %t", b, ok)
	}
	if b, ok := c.Device("dc2"); ok {
		t.Errorf("device dc2 is %v", b)
	}
	if p, ok := c.AddressPool("public"); !ok || p.Name != "public" {
		t.Errorf("pool public: %v, %t", p, ok)
	}
	if p, ok := c.AddressPool(""); ok {
		t.Errorf("pool without a name is %v", p)
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "landbridge.yaml")
	if _, err := config.Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("of a file that is not there: %v", err)
	}
	write(t, path, "kind: Config\napiVersion: landbridge.dev/v1\ncluster: no_label\n")
	want := "config " + path + `: cluster: "no_label" must be a DNS label (a-z, 0-9, -) of at most 20 characters`
	if _, err := config.Load(path); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	write(t, path, minimal)
	if c, err := config.Load(path); err != nil || c.Cluster != "prod-1" {
		t.Errorf("got %v, %v", c, err)
	}
}

const (
	minimal = "apiVersion: landbridge.dev/v1\nkind: Config\ncluster: prod-1\n"
	device  = "bigip:\n  - name: dc1\n    hosts: [https://bigip.example.com]\n    credentialsDir: /etc/landbridge/dc1\n"
)

func parse(t *testing.T, text string) *config.Config {
	t.Helper()
	c, err := config.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// write puts a file in its place at once, as a mounted ConfigMap does.
func write(t *testing.T, path, text string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}

// Whatever a file holds, Parse gives a configuration whose defaults are filled
// in, or an error, and never both or neither.
func FuzzParse(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		c, err := config.Parse(raw)
		if (c == nil) == (err == nil) {
			t.Fatalf("%v, %v", c, err)
		}
		if err != nil {
			return
		}
		for _, b := range c.BIGIP {
			if b.Resync() < 0 || b.MaxConcurrentCalls < 1 || b.NodePort.MaxNodes < 1 {
				t.Errorf("valid, and %+v", b)
			}
		}
		for _, tenant := range c.Tenants {
			tenant.Covers("shop", nil)
		}
	})
}
