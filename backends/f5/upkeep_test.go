package f5_test

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"landbridge.dev/backends/f5"
	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/fault"
)

// watch has a Backend look after itself until the test's end, as under a
// worker.
func watch(t *testing.T, b *f5.Backend) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
			b.Watch(ctx)
		}
	}()
	t.Cleanup(func() {
		stop()
		<-done
	})
}

// sent are the bodies of the POSTs to a path, with when they came.
func sent(d *bigip.Device, path string) (bodies []string, at []time.Time) {
	for _, r := range d.Requests() {
		if r.Method == http.MethodPost && r.Path == path {
			bodies, at = append(bodies, strings.TrimSpace(r.Body)), append(at, r.Time)
		}
	}
	return bodies, at
}

const (
	savePath = "/mgmt/tm/sys/config"
	syncPath = "/mgmt/tm/cm"
)

func TestSaveConfig(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{}, func(o *f5.Options) { o.SaveConfig = 30 * time.Second })
		watch(t, b)
		mustRead(t, b)
		time.Sleep(5 * time.Minute)
		if bodies, _ := sent(p.A, savePath); len(bodies) != 0 {
			t.Fatalf("saved without a change: %q", bodies)
		}
		for i := range 50 { // a change a second
			mustCreate(t, b, testPool(pathOf(i)[5:]))
			time.Sleep(time.Second)
		}
		mustCreate(t, b, node(t, "10.0.0.5", "/Common/10.0.0.5"))
		time.Sleep(5 * time.Minute)
		bodies, at := sent(p.A, savePath)
		want := []string{
			`{"command":"save","options":[{"partitions":"{ web }"}]}`,
			`{"command":"save","options":[{"partitions":"{ Common web }"}]}`,
		}
		if diff := cmp.Diff(want, bodies); diff != "" {
			t.Errorf("saves (-want +got):\n%s", diff)
		}
		for i := 1; i < len(at); i++ {
			if apart := at[i].Sub(at[i-1]); apart < 30*time.Second {
				t.Errorf("two saves %v apart, want at least 30 s", apart)
			}
		}
		if bodies, _ := sent(p.B, savePath); len(bodies) != 0 {
			t.Errorf("the standby was saved: %q", bodies)
		}
		p.A.Reboot()
		if n := len(p.A.Objects("ltm/pool", "")); n != 50 {
			t.Errorf("%d pools after a reboot, want 50", n)
		}
	})
}

func TestSaveThatFailsIsTriedAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{}, func(o *f5.Options) {
			o.SaveConfig, o.Hosts = 10*time.Second, []string{"http://a"}
		})
		watch(t, b)
		mustFault(t, p.A, fault.Rule{Method: "POST", Path: savePath, Count: 1, Do: fault.MCPDLost})
		mustCreate(t, b, testPool("a"))
		time.Sleep(time.Minute)
		if bodies, _ := sent(p.A, savePath); len(bodies) != 2 || bodies[0] != bodies[1] {
			t.Errorf("saves %q, want the same twice", bodies)
		}
	})
}

func TestCloseSavesWhatIsLeft(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{}, func(o *f5.Options) { o.SaveConfig = time.Hour })
		mustRead(t, b)
		mustCreate(t, b, testPool("a"))
		if err := b.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if bodies, _ := sent(p.A, savePath); len(bodies) != 1 {
			t.Errorf("saves %q, want one", bodies)
		}
	})
}

func TestSaveAndSyncAreOffByDefault(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{}, nil)
		watch(t, b)
		mustRead(t, b)
		mustCreate(t, b, testPool("a"))
		time.Sleep(time.Minute)
		for _, d := range []*bigip.Device{p.A, p.B} {
			saves, _ := sent(d, savePath)
			syncs, _ := sent(d, syncPath)
			if len(saves)+len(syncs) != 0 {
				t.Errorf("saves %q, syncs %q", saves, syncs)
			}
		}
	})
}

func TestConfigSync(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		auto    bool
		group   string
		prepare func(t *testing.T, p *bigip.Pair)
		syncs   []string
		warned  string
	}{
		{name: "this unit alone is ahead", group: "dg", syncs: []string{`{"command":"run","utilCmdArgs":"config-sync to-group dg"}`}},
		{name: "by its full path", group: "/Common/dg", syncs: []string{`{"command":"run","utilCmdArgs":"config-sync to-group /Common/dg"}`}},
		{name: "the group syncs by itself", group: "dg", auto: true},
		{name: "the standby has changes as well", group: "dg", warned: "not of bigip01.lab.local alone", prepare: func(t *testing.T, p *bigip.Pair) {
			mustPost(t, p.B, "/mgmt/tm/ltm/pool", map[string]any{"name": "/web/by-hand"})
		}},
		{name: "no such group", group: "nope", warned: "configSync: device group nope"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				core, logs := observer.New(zap.WarnLevel)
				p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{Group: "dg", AutoSync: test.auto}, func(o *f5.Options) {
					o.ConfigSync, o.Log = test.group, zap.New(core)
				})
				watch(t, b)
				mustRead(t, b)
				time.Sleep(20 * time.Second)
				if syncs, _ := sent(p.A, syncPath); len(syncs) != 0 {
					t.Errorf("synced without a change: %q", syncs)
				}
				if test.prepare != nil {
					test.prepare(t, p)
				}
				mustCreate(t, b, testPool("a"))
				mustCreate(t, b, testPool("b"))
				time.Sleep(40 * time.Second)
				synctest.Wait()
				syncs, _ := sent(p.A, syncPath)
				if diff := cmp.Diff(test.syncs, syncs); diff != "" {
					t.Errorf("syncs (-want +got):\n%s", diff)
				}
				if wrong, _ := sent(p.B, syncPath); len(wrong) != 0 {
					t.Errorf("synced from the standby: %q", wrong)
				}
				_, there := p.B.Object("ltm/pool", testPool("b").Path)
				if want := len(test.syncs) > 0 || test.auto; there != want {
					t.Errorf("the standby has the change: %v, want %v", there, want)
				}
				warnings := logs.FilterMessage("the configuration is not synced to its group").All()
				if test.warned == "" {
					if len(warnings) != 0 {
						t.Errorf("warned: %v", warnings)
					}
					return
				}
				if len(warnings) != 1 || !slices.ContainsFunc(warnings[0].Context, func(f zap.Field) bool {
					err, is := f.Interface.(error)
					return is && strings.Contains(err.Error(), test.warned)
				}) {
					t.Errorf("warnings %v, want one with %q", warnings, test.warned)
				}
			})
		})
	}
}

// TestFailoverPushesNothing has the traffic move before a change was synced: the
// unit that is active now may not push over what it lacks, nor may the other
// over what was made since.
func TestFailoverPushesNothing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		core, logs := observer.New(zap.WarnLevel)
		p, b, _ := startPair(t, bigip.Options{}, bigip.PairOptions{Group: "dg"}, func(o *f5.Options) {
			o.ConfigSync, o.Log = "dg", zap.New(core)
		})
		watch(t, b)
		mustRead(t, b)
		mustCreate(t, b, testPool("a"))
		p.Failover()
		time.Sleep(40 * time.Second)
		mustRead(t, b)
		mustCreate(t, b, testPool("a"), testPool("b"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for name, d := range map[string]*bigip.Device{"before": p.A, "now": p.B} {
			if syncs, _ := sent(d, syncPath); len(syncs) != 0 {
				t.Errorf("the unit that is active %s pushed %q", name, syncs)
			}
		}
		if logs.FilterMessage("the configuration is not synced to its group").Len() == 0 {
			t.Error("nobody was told")
		}
	})
}
