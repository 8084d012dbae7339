package migrate_test

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/yaml"

	"landbridge.dev/sync/migrate"
	"landbridge.dev/sync/state"
)

// TestNamesAreOnesThatTheAPIAdmits has virtual servers with names that a
// Service cannot have, or two of which would come out alike.
func TestNamesAreOnesThatTheAPIAdmits(t *testing.T) {
	t.Parallel()
	paths := []string{
		"/web/Shop_VS", "/web/shop.vs", "/web/80_http", "/web/--", "/web/" + strings.Repeat("long", 30), "/other/" + strings.Repeat("long", 30),
		"/web/a\n  evil: true", "/web/ü", "/web/x-", "/web/folder/deep_vs",
	}
	set := state.NewSet()
	for i, path := range paths {
		add(t, set, path, uint16(1000+i))
	}
	text, err := migrate.Manifests(set, migrate.Options{Device: "dc1", Namespace: "shop", Selector: map[string]string{"app": "on"}})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, doc := range strings.Split(text, "\n---\n")[1:] {
		var svc corev1.Service
		if err := yaml.UnmarshalStrict([]byte(doc), &svc); err != nil {
			t.Fatalf("%v in:\n%s", err, doc)
		}
		if problems := validation.IsDNS1035Label(svc.Name); len(problems) > 0 {
			t.Errorf("name %q: %v", svc.Name, problems)
		}
		if problems := validation.IsValidPortName(svc.Spec.Ports[0].Name); len(problems) > 0 {
			t.Errorf("port %q: %v", svc.Spec.Ports[0].Name, problems)
		}
		if svc.Spec.Selector["app"] != "on" || len(svc.Annotations) != 2 {
			t.Errorf("%s has selector %v and annotations %v", svc.Name, svc.Spec.Selector, svc.Annotations)
		}
		names[svc.Name] = true
	}
	if len(names) != len(paths) {
		t.Errorf("%d names for %d virtual servers: %v", len(names), len(paths), names)
	}
}

// TestLeftOut has what cannot be a Service, each with its reason.
func TestLeftOut(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(v *state.VirtualServer, p *state.Pool)
		why    string
	}{
		"managed":      {func(v *state.VirtualServer, _ *state.Pool) { v.Managed = true }, "an application service (appService) manages it"},
		"managed pool": {func(_ *state.VirtualServer, p *state.Pool) { p.Managed = true }, "an application service (appService) manages its pool /web/p"},
		"ours":         {func(v *state.VirtualServer, _ *state.Pool) { v.Owner = state.Owner{Cluster: "c"} }, "it is of Landbridge already"},
		"no pool":      {func(v *state.VirtualServer, _ *state.Pool) { v.Pool = "" }, "it has no pool"},
		"unseen pool":  {func(v *state.VirtualServer, _ *state.Pool) { v.Pool = "/other/p" }, "its pool /other/p is not to be seen"},
		"protocol":     {func(v *state.VirtualServer, _ *state.Pool) { v.Protocol = "sctp" }, "it listens for protocol sctp"},
		"every port":   {func(v *state.VirtualServer, _ *state.Pool) { v.Destination.Port = 0 }, "it listens on every port"},
		"any port of members": {
			func(_ *state.VirtualServer, p *state.Pool) { p.Members[0].Endpoint.Port = 0 },
			"the members of its pool /web/p serve every port",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, p := pair(t, "/web/v", "/web/p", 80)
			c.change(v, p)
			text, err := migrate.Manifests(state.NewSet(v, p), migrate.Options{Device: "dc1", Namespace: "shop"})
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(text, "# /web/v is left out: "+c.why) || strings.Contains(text, "kind: Service") {
				t.Errorf("want %q in:\n%s", c.why, text)
			}
		})
	}
}

// TestSlowRamp is said where there is one: it puts a share off.
func TestSlowRamp(t *testing.T) {
	t.Parallel()
	for seconds, want := range map[int]bool{0: false, 10: true} {
		v, p := pair(t, "/web/v", "/web/p", 80)
		p.SlowRamp = seconds
		text, err := migrate.Manifests(state.NewSet(v, p), migrate.Options{Device: "dc1", Namespace: "shop"})
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(text, "# slow ramp time 10 s: "); got != want {
			t.Errorf("with %d s it is said: %v, want %v, in:\n%s", seconds, got, want, text)
		}
	}
}

func add(t *testing.T, set *state.Set, path string, port uint16) {
	t.Helper()
	v, p := pair(t, path, path+"_pool", port)
	set.Put(v)
	set.Put(p)
}

func pair(t *testing.T, path, pool string, port uint16) (*state.VirtualServer, *state.Pool) {
	t.Helper()
	a, err := state.ParseAddress("10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	return &state.VirtualServer{
			Backend: "bigip/dc1", Path: path, Pool: pool, Protocol: state.TCP, Destination: state.Endpoint{Address: a, Port: port},
		}, &state.Pool{
			Backend: "bigip/dc1", Path: pool, Mode: "round-robin",
			Members: []state.Member{{Endpoint: state.Endpoint{Address: a, Port: 8080}, Ratio: 1}},
		}
}
