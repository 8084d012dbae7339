package charts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/common"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// `helm upgrade --reuse-values` puts an older chart's defaults in place of the new
// one's. Whichever value the older one did not know has its default then.
func TestEachValueMayBeNew(t *testing.T) {
	t.Parallel()
	paths := keys("", load(t).Values)
	if len(paths) < 60 {
		t.Fatalf("only %d values were found", len(paths))
	}
	for _, path := range paths {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			for _, name := range []string{"everything", "minimal"} {
				values := combination(t, name)
				cut(values, path)
				want, wantErr := renderChart(load(t), values)
				older := load(t)
				cut(older.Values, path)
				got, err := renderChart(older, values)
				if diff := cmp.Diff(want, got, cmp.AllowUnexported(rendered{})); diff != "" || fmt.Sprint(err) != fmt.Sprint(wantErr) {
					t.Errorf("%s: %v, want %v (-want +got):\n%s", name, err, wantErr, diff)
				}
			}
		})
	}
}

// keys are the paths of all values, but for those within what is Kubernetes'.
func keys(prefix string, values map[string]any) []string {
	var all []string
	for key, value := range values {
		all = append(all, prefix+key)
		if inner, ok := value.(map[string]any); ok && key != "resources" && key != "labels" {
			all = append(all, keys(prefix+key+".", inner)...)
		}
	}
	slices.Sort(all)
	return all
}

// cut takes a value out.
func cut(values map[string]any, path string) {
	key, rest, deeper := strings.Cut(path, ".")
	if inner, ok := values[key].(map[string]any); ok && deeper {
		cut(inner, rest)
	} else if !deeper {
		delete(values, key)
	}
}

// A limit that was taken out stays out.
func TestValuesTakenOut(t *testing.T) {
	t.Parallel()
	r := mustRender(t, parse(t, "{config: {cluster: a}, controller: {resources: {limits: null}}}"))
	for _, o := range r.objects {
		if text := fmt.Sprint(o.Object); o.GetKind() == "Deployment" && strings.Contains(text, "limits") {
			t.Errorf("the Deployment has limits: %s", text)
		}
	}
}

// olderChart is what the chart may have been: with a default that has changed
// since, and without a part, a section and a value that it has now.
func olderChart(t *testing.T) *chart.Chart {
	t.Helper()
	c := load(t)
	c.Schema = nil
	c.Metadata.Version = "0.0.9"
	c.Templates = slices.DeleteFunc(c.Templates, func(f *common.File) bool { return f.Name == "templates/inquiries.yaml" })
	for _, path := range []string{"inquiries", "gateway", "controller.podDisruptionBudget", "networkPolicy.apiServer"} {
		cut(c.Values, path)
	}
	c.Values["controller"].(map[string]any)["logLevel"] = "debug"
	return c
}

// However an upgrade is asked for what a person set stays, and what is new is
// there. A default that has changed is the older one with --reuse-values alone. A
// value that is gone is told of by its name.
func testUpgradeFromOlderChart(t *testing.T, s *site) {
	ctx, client := t.Context(), s.Kube.Client()
	set := func() map[string]any { return parse(t, "{config: {cluster: prod-1}, controller: {replicas: 4}}") }
	for _, test := range []struct {
		name   string
		how    func(*action.Upgrade)
		values map[string]any
		level  string
	}{
		{"helm upgrade", func(*action.Upgrade) {}, nil, "info"},
		{"helm upgrade -f values.yaml", func(*action.Upgrade) {}, set(), "info"},
		{"helm upgrade --reset-then-reuse-values", func(u *action.Upgrade) { u.ResetThenReuseValues = true }, nil, "info"},
		{"helm upgrade --reuse-values", func(u *action.Upgrade) { u.ReuseValues = true }, nil, "debug"},
	} {
		if _, err := s.installation("landbridge").Run(olderChart(t), set()); err != nil {
			t.Fatal(err)
		}
		u := s.upgrading()
		test.how(u)
		if _, err := u.Run("landbridge", load(t), test.values); err != nil {
			t.Fatalf("%s: %v", test.name, err)
		}
		d, err := client.AppsV1().Deployments(namespace).Get(ctx, "landbridge", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if *d.Spec.Replicas != 4 || !slices.Contains(d.Spec.Template.Spec.Containers[0].Args, "--log-level="+test.level) {
			t.Errorf("%s: %d replicas with %v, want 4 with --log-level=%s", test.name, *d.Spec.Replicas, d.Spec.Template.Spec.Containers[0].Args, test.level)
		}
		if out, err := s.Kubectl(ctx, "get", "crd/inquiries.landbridge.dev", "pdb/landbridge", "-n", namespace); err != nil {
			t.Errorf("%s: what is new is not there: %s", test.name, out.Stderr)
		}
		s.uninstall(t, "landbridge")
		s.eventually(t, "the kind of inquiries is gone", func() bool {
			out, err := s.Kubectl(ctx, "get", "crd/inquiries.landbridge.dev", "--ignore-not-found", "-o", "name")
			return err == nil && out.Stdout == ""
		})
	}

	gone := olderChart(t)
	gone.Values["controller"].(map[string]any)["verbose"] = false
	if _, err := s.installation("landbridge").Run(gone, set()); err != nil {
		t.Fatal(err)
	}
	u := s.upgrading()
	u.ReuseValues = true
	if _, err := u.Run("landbridge", load(t), nil); err == nil || !strings.Contains(err.Error(), "at '/controller': additional properties 'verbose' not allowed") {
		t.Errorf("a value that is gone is reused: %v", err)
	}
	u = s.upgrading()
	u.ResetThenReuseValues = true
	if _, err := u.Run("landbridge", load(t), nil); err != nil {
		t.Errorf("a value that is gone, and that nobody set: %v", err)
	}
}
