package landbridge_test

import (
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/go/packages"
)

const module = "landbridge.dev"

// rule says which packages of this module a package may import.
type rule struct {
	// from is a package, or a tree of packages where it ends in /...
	from string
	// may are packages or trees, as in from.
	may []string
	// why is what breaks where the rule is broken.
	why string
}

// The arrows of ARCHITECTURE.md: cmd → reconcile → {watch, report, apply,
// ledger} → {plan, translate} → state, each also further down; config is a leaf
// for all; backends know what they carry out, and nobody but cmd knows them.
var rules = []rule{
	{
		from: "sync/state",
		why:  "state is the vocabulary that every package speaks: what it imported, all would depend on",
	},
	{
		from: "config", may: []string{"config/annotation"},
		why: "config is a leaf that all may use: what it imported could not use it",
	},
	{
		from: "config/annotation",
		why:  "the reference of annotations is read by the configuration, by translation, and by what writes the manual",
	},
	{
		from: "deploy",
		why:  "deploy says what a cluster has to give, and knows nothing of what is done with it",
	},
	{
		from: "deploy/admission", may: []string{"config/annotation"},
		why: "the admission policy is made of the reference of annotations alone",
	},
	{
		from: "image",
		why:  "an image holds the product as it is built, whatever that does",
	},
	{
		from: "deb", may: []string{"image"},
		why: "a package holds the product as it is built, whatever that does",
	},
	{
		from: "sync/plan", may: []string{"sync/state"},
		why: "a plan is pure: it turns what is wanted and what is there into changes, and knows neither Kubernetes nor a backend",
	},
	{
		from: "sync/allocate", may: []string{"sync/state", "config"},
		why: "the book of addresses is pure: it is told what Services ask for and what backends show",
	},
	{
		from: "sync/translate", may: []string{"sync/allocate", "sync/state", "config", "config/annotation"},
		why: "translation is pure: it gives desired state and knows nothing of what stands",
	},
	{
		from: "sync/ledger", may: []string{"sync/plan", "sync/allocate", "sync/translate", "sync/state", "config"},
		why: "the ledger is where the two stages meet: it knows neither side's machinery",
	},
	{
		from: "sync/migrate", may: []string{"sync/plan", "sync/state"},
		why: "manifests are made from what stands on a device alone",
	},
	{
		from: "sync/watch", may: []string{"sync/plan", "sync/translate", "sync/state", "config"},
		why: "watch reads Kubernetes and knows nothing of backends",
	},
	{
		from: "sync/report", may: []string{"sync/plan", "sync/translate", "sync/state", "config"},
		why: "report writes to Kubernetes and knows nothing of backends",
	},
	{
		from: "sync/roster", may: []string{"sync/translate", "sync/state"},
		why: "the roster turns registered VMs into EndpointSlices and knows nothing of the broker",
	},
	{
		from: "sync/inquiry",
		why:  "an inquiry carries a question and its answer, and knows nothing of what is answered",
	},
	{
		from: "sync/tracing", may: []string{"sync/ledger", "sync/state"},
		why: "traces tell what has happened, and nothing is decided by them",
	},
	{
		from: "sync/apply", may: []string{"sync/tracing", "sync/ledger", "sync/plan", "sync/translate", "sync/state", "config"},
		why: "apply drives any backend by its contract, and knows nothing of Kubernetes",
	},
	{
		from: "sync/reconcile", may: []string{"sync/...", "config/..."},
		why: "reconcile ties the engine together, and gets its backends from cmd",
	},
	{
		from: "backends/...", may: []string{"sync/apply", "sync/tracing", "sync/plan", "sync/state", "config", "backends/..."},
		why: "a backend reads and carries out; what is wanted and why is decided before it",
	},
	{
		from: "mq/...", may: []string{"sync/apply", "sync/plan", "sync/state", "config/...", "mq/..."},
		why: "the data path of messages knows how a queue is served, and neither Kubernetes nor who decides it",
	},
	{
		from: "cmd/landbridge", may: []string{"cmd/landbridge/...", "sync/...", "config/...", "deploy", "backends/...", "mq/..."},
		why: "the product carries nothing of the lab",
	},
	{
		from: "cmd/landbridge-lab", may: []string{"..."},
		why: "the lab is made of all",
	},
	{
		from: "testenv/...", may: []string{"..."},
		why: "the test environment may use all, and only the lab and tests use it",
	},
}

// Some libraries belong to one place alone.
var libraries = []struct {
	library string   // with all below it
	only    []string // packages or trees that may import it
	why     string
}{
	{
		"github.com/f5devcentral/go-bigip",
		[]string{"backends/f5/..."},
		"no wire type of a backend crosses its border: the others speak in the words of sync/state",
	},
	{
		"github.com/rabbitmq/amqp091-go",
		[]string{"mq/broker", "testenv/..."},
		"no type of the library crosses its border, and its traps are known in one place",
	},
	{
		"github.com/osrg/gobgp",
		[]string{"backends/bgp"},
		"no wire type of a backend crosses its border: the others speak in the words of sync/state",
	},
	{
		"github.com/google/go-containerregistry",
		[]string{"image"},
		"the product knows nothing of the image that it comes in",
	},
	{
		"k8s.io/client-go",
		[]string{"sync/watch", "sync/report", "sync/roster", "sync/inquiry", "sync/reconcile", "cmd/...", "testenv/..."},
		"watch alone reads Kubernetes, report alone writes to Services and roster to EndpointSlices, and inquiry has objects of its own, so that the rest is proven without an API server",
	},
	{
		"go.uber.org/zap",
		[]string{"sync/apply", "sync/reconcile", "backends/...", "mq/...", "cmd/...", "testenv/..."},
		"pure packages log nothing, and libraries return their errors",
	},
	{
		"github.com/prometheus",
		[]string{"sync/apply", "sync/reconcile", "backends/...", "mq/...", "cmd/...", "testenv/..."},
		"pure packages count nothing",
	},
	{
		"go.opentelemetry.io/otel/sdk",
		[]string{"cmd/landbridge"},
		"where traces go is the process's to say; what is traced knows nothing of it",
	},
	{
		"go.opentelemetry.io/otel/exporters",
		[]string{"cmd/landbridge"},
		"where traces go is the process's to say; what is traced knows nothing of it",
	},
	{
		"go.opentelemetry.io",
		[]string{"sync/tracing", "cmd/landbridge", "testenv/..."},
		"what a trace holds is said in one place, so that no secret gets into one elsewhere",
	},
}

// pure are packages without I/O: the same input gives the same answer.
var pure = []string{"config/annotation", "deploy/admission", "sync/state", "sync/plan", "sync/translate", "sync/ledger"}

// within says whether a package is what a pattern names.
func within(pattern, pkg string) bool {
	tree, isTree := strings.CutSuffix(pattern, "...")
	tree = strings.TrimSuffix(tree, "/")
	return pkg == tree || isTree && (tree == "" || strings.HasPrefix(pkg, tree+"/"))
}

func anyOf(patterns []string, pkg string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return within(p, pkg) })
}

// imports are what each package of the module imports, its tests left out, by
// its path in the module.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	loaded, err := packages.Load(&packages.Config{
		Context: t.Context(), Mode: packages.NeedName | packages.NeedImports,
	}, module+"/...")
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for _, p := range loaded {
		path := strings.TrimPrefix(strings.TrimPrefix(p.PkgPath, module), "/")
		for imported := range p.Imports {
			found[path] = append(found[path], imported)
		}
		slices.Sort(found[path])
	}
	if len(found["sync/reconcile"]) == 0 {
		t.Fatalf("found no imports of sync/reconcile among %d packages", len(loaded))
	}
	return found
}

func TestImports(t *testing.T) {
	t.Parallel()
	for pkg, imported := range imports(t) {
		i := slices.IndexFunc(rules, func(r rule) bool { return within(r.from, pkg) })
		if i < 0 && pkg != "" {
			t.Errorf("%s has no rule: say here what it may import, and why", pkg)
			continue
		}
		for _, path := range imported {
			if own, ok := strings.CutPrefix(path, module+"/"); ok && !anyOf(rules[i].may, own) {
				t.Errorf("%s imports %s: %s", pkg, own, rules[i].why)
			}
			for _, l := range libraries {
				if within(l.library+"/...", path) && !anyOf(l.only, pkg) {
					t.Errorf("%s imports %s: %s", pkg, path, l.why)
				}
			}
			outside := strings.Contains(strings.Split(path, "/")[0], ".")
			switch {
			case pkg == "sync/state" && outside:
				t.Errorf("%s imports %s: it stands on the standard library alone, as all stand on it", pkg, path)
			case slices.Contains(pure, pkg) && slices.Contains([]string{"os", "net", "net/http", "log", "log/slog", "math/rand", "math/rand/v2"}, path):
				t.Errorf("%s imports %s: it does no I/O, and the same input gives the same answer", pkg, path)
			}
		}
	}
}

// A rule about a package that is not there any more protects nothing.
func TestEveryRuleHasItsPackage(t *testing.T) {
	t.Parallel()
	found := imports(t)
	has := func(pattern string) bool {
		for pkg := range found {
			if within(pattern, pkg) {
				return true
			}
		}
		return false
	}
	for _, r := range rules {
		for _, p := range append([]string{r.from}, r.may...) {
			if !has(p) {
				t.Errorf("a rule speaks of %s, and there is none", p)
			}
		}
	}
	for _, l := range libraries {
		for _, p := range l.only {
			if !has(p) {
				t.Errorf("the rule of %s speaks of %s, and there is none", l.library, p)
			}
		}
	}
}
