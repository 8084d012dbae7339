package landbridge_test

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"

	"landbridge.dev/config/annotation"
	"landbridge.dev/deploy/admission"
)

// update writes what is generated anew: `make generate`.
var update = flag.Bool("update", false, "write generated files anew")

// The chart's rights are those of deploy/, which `landbridge check` asks for
// and under which the scripts of testenv run, each with its reason; its
// admission policy is made of the reference of annotations, and what a template
// takes for a value that is missing is that of values.yaml.
func TestChartFilesAreGenerated(t *testing.T) {
	t.Parallel()
	policy, err := yaml.Marshal(admission.Spec())
	if err != nil {
		t.Fatal(err)
	}
	var values map[string]any
	if err := yaml.Unmarshal([]byte(read(t, "charts/landbridge/values.yaml")), &values); err != nil {
		t.Fatal(err)
	}
	defaults, err := yaml.Marshal(values)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"defaults.yaml":          "# Of values.yaml, by `make generate`.\n" + string(defaults),
		"rights-controller.yaml": rulesOf(t, "deploy/rbac.yaml", "ClusterRole"),
		"rights-lease.yaml":      rulesOf(t, "deploy/rbac.yaml", "Role"),
		"rights-gateway.yaml":    rulesOf(t, "deploy/rbac-gateway.yaml", "ClusterRole"),
		"admission-policy.yaml":  string(policy),
		"inquiries.yaml":         read(t, "deploy/inquiries.yaml"),
	} {
		generated(t, filepath.Join("charts", "landbridge", "files", name), want)
	}
}

// A key whose values are checked has a rule in the policy; deploy/admission's
// tests ask an API server whether the two agree.
func TestPolicyHasEveryKey(t *testing.T) {
	t.Parallel()
	has := map[string]bool{}
	for _, v := range admission.Spec().Variables {
		has[v.Name] = true
	}
	for _, k := range annotation.Keys() {
		if k.Check != nil && !has["bad_"+strings.ReplaceAll(k.Name, "-", "_")] {
			t.Errorf("deploy/admission/rules.go has no rule for %s: add one, then `make generate`", k.Name)
		}
	}
}

// Each metric is looked at by somebody: in an alert, or in the dashboard. The
// tests of the module charts ask Prometheus' parser about the rest.
func TestMetricsAreShown(t *testing.T) {
	t.Parallel()
	var shown string
	for _, name := range []string{"alerts.yaml", "dashboard.json"} {
		raw, err := os.ReadFile(filepath.Join("charts", "landbridge", "files", name))
		if err != nil {
			t.Fatal(err)
		}
		shown += string(raw)
	}
	page, err := os.ReadFile("docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range regexp.MustCompile("(?m)^\\| `(landbridge_[a-z_]+)` \\|").FindAllStringSubmatch(string(page), -1) {
		if !regexp.MustCompile(row[1] + `\b|` + row[1] + `_bucket`).MatchString(shown) {
			t.Errorf("%s is in no alert and no panel of charts/landbridge/files: add it to one", row[1])
		}
	}
}

// generated compares a file with what it should hold, or writes it.
func generated(t *testing.T, path, want string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != want {
		t.Errorf("%s is not up to date: run `make generate` (%v)", path, err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// rulesOf is the list of rules, with its comments, of the one role of a kind in
// a manifest.
func rulesOf(t *testing.T, manifest, kind string) string {
	t.Helper()
	raw, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	for document := range strings.SplitSeq(string(raw), "\n---\n") {
		_, rules, found := strings.Cut(document, "\nrules:\n")
		if found && strings.Contains(document, "\nkind: "+kind+"\n") {
			return strings.TrimPrefix(strings.ReplaceAll("\n"+strings.TrimRight(rules, "\n"), "\n  ", "\n"), "\n") + "\n"
		}
	}
	t.Fatalf("%s has no %s", manifest, kind)
	return ""
}
