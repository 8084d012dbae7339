package charts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart"
	"helm.sh/helm/v4/pkg/chart/common"
	"helm.sh/helm/v4/pkg/chart/loader"
	"helm.sh/helm/v4/pkg/chart/v2/lint"
	"helm.sh/helm/v4/pkg/chart/v2/lint/support"
	release "helm.sh/helm/v4/pkg/release/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"
)

const (
	folder    = "landbridge"        // of the chart
	namespace = "landbridge-system" // where releases go
)

// rendered is what a release would be.
type rendered struct {
	objects []*unstructured.Unstructured
	hooks   []*unstructured.Unstructured
	notes   string
}

// render does what `helm template` does.
func render(values map[string]any) (*rendered, error) {
	chart, err := loader.Load(folder)
	if err != nil {
		return nil, err
	}
	return renderChart(chart, values)
}

func renderChart(chart chart.Charter, values map[string]any) (*rendered, error) {
	install := action.NewInstall(action.NewConfiguration())
	install.ReleaseName, install.Namespace = "landbridge", namespace
	install.DryRunStrategy, install.Replace = action.DryRunClient, true
	install.KubeVersion = &common.KubeVersion{Version: "v1.36.3", Major: "1", Minor: "36"}
	made, err := install.Run(chart, values)
	if err != nil {
		return nil, err
	}
	r := made.(*release.Release)
	out := &rendered{notes: r.Info.Notes}
	if out.objects, err = objects(r.Manifest); err != nil {
		return nil, err
	}
	for _, h := range r.Hooks {
		hook, err := objects(h.Manifest)
		if err != nil {
			return nil, err
		}
		out.hooks = append(out.hooks, hook...)
	}
	return out, nil
}

func objects(manifest string) ([]*unstructured.Unstructured, error) {
	var all []*unstructured.Unstructured
	for document := range strings.SplitSeq("\n"+manifest, "\n---") {
		o := &unstructured.Unstructured{}
		if err := yaml.UnmarshalStrict([]byte(document), &o.Object); err != nil {
			return nil, err
		}
		if len(o.Object) > 0 {
			all = append(all, o)
		}
	}
	return all, nil
}

func mustRender(t *testing.T, values map[string]any) *rendered {
	t.Helper()
	r, err := render(values)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// combination is the values of a file in testdata/values.
func combination(t *testing.T, name string) map[string]any {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "values", name+".yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return parse(t, string(raw))
}

func parse(t *testing.T, values string) map[string]any {
	t.Helper()
	var v map[string]any
	if err := yaml.UnmarshalStrict([]byte(values), &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// combinations are the names of the files in testdata/values.
func combinations(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", "values", "*.yaml"))
	if err != nil || len(files) < 3 {
		t.Fatalf("%d files of values, %v", len(files), err)
	}
	for i, f := range files {
		files[i] = strings.TrimSuffix(filepath.Base(f), ".yaml")
	}
	return files
}

// find is the object of a kind and name; it is decoded into a type.
func find[T any](t *testing.T, all []*unstructured.Unstructured, kind, name string) *T {
	t.Helper()
	for _, o := range all {
		if o.GetKind() == kind && o.GetName() == name {
			return decode[T](t, o)
		}
	}
	t.Fatalf("there is no %s %s", kind, name)
	return nil
}

// decode fails on a field that the type does not have.
func decode[T any](t *testing.T, o *unstructured.Unstructured) *T {
	t.Helper()
	into := new(T)
	if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, into, true); err != nil {
		t.Fatalf("%s %s: %v", o.GetKind(), o.GetName(), err)
	}
	return into
}

// As `helm lint --strict`.
func TestLint(t *testing.T) {
	t.Parallel()
	for _, name := range combinations(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, m := range lint.RunAll(folder, combination(t, name), namespace).Messages {
				if m.Severity > support.InfoSev {
					t.Error(m)
				}
			}
		})
	}
}
