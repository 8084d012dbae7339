package testenv_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/util/yaml"

	"landbridge.dev/testenv/world"
)

// rightsUsed is what the ServiceAccounts of Landbridge did in the scripts, as the
// API servers write it down. A right that no script uses is one too many, or a
// script is missing.
type rightsUsed struct {
	t   *testing.T
	dir string

	mu    sync.Mutex
	used  map[string]bool // as right names them
	begun int             // scripts
	ended int
}

// auditPolicy has an API server write down what our accounts do, and nothing
// else: watches as soon as they have begun.
const auditPolicy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
  - {level: Metadata, userGroups: ["system:serviceaccounts:` + world.Namespace + `"]}
  - {level: None}
`

// watchRights looks, once all scripts have run, for rights that none has used.
// Where only some have, it says under -v what these did not use.
func watchRights(t *testing.T) *rightsUsed {
	t.Helper()
	u := &rightsUsed{t: t, dir: t.TempDir(), used: map[string]bool{}}
	if err := os.WriteFile(u.policy(), []byte(auditPolicy), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(u.compare)
	return u
}

func (u *rightsUsed) policy() string { return filepath.Join(u.dir, "policy.yaml") }

// unstreamed are scripts whose API server streams no lists, as those before
// Kubernetes 1.34 do not: there what is watched is listed first.
var unstreamed = []string{"inquiry", "pod-networks", "queue"}

// usedLate is a right that no script waits for: an Inquiry that nobody took away
// goes after five minutes. testTidy of sync/inquiry has one that old.
const usedLate = "landbridge may delete inquiries.landbridge.dev"

// log are the flags of an API server that writes such a log, and what reads it
// when the script has ended.
func (u *rightsUsed) log(script string) (flags []string, collect func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.begun++
	path := filepath.Join(u.dir, fmt.Sprintf("%d.log", u.begun))
	flags = []string{"--audit-policy-file=" + u.policy(), "--audit-log-path=" + path}
	if slices.Contains(unstreamed, script) {
		flags = append(flags, "--feature-gates=WatchList=false")
	}
	return flags, func() {
		if err := u.collect(path); err != nil {
			u.t.Errorf("what the API server wrote down: %v", err)
		}
	}
}

// collect takes in what one API server allowed because of a role.
func (u *rightsUsed) collect(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) { // there is none where nobody of ours has come
		return err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.ended++
	for line := range bytes.Lines(raw) {
		var e struct {
			Verb string
			User struct{ Username string }
			Ref  struct{ APIGroup, Resource, Subresource string } `json:"objectRef"`
			Note map[string]string                                `json:"annotations"`
			End  struct{ Code int }                               `json:"responseStatus"`
		}
		if json.Unmarshal(line, &e) != nil {
			continue // cut off, with the API server
		}
		if e.Note["authorization.k8s.io/decision"] == "allow" && e.End.Code < 300 { // what is not there was not used
			account := e.User.Username[strings.LastIndex(e.User.Username, ":")+1:]
			u.used[right(account, e.Verb, e.Ref.APIGroup, e.Ref.Resource, e.Ref.Subresource)] = true
		}
	}
	return nil
}

// right names one: "landbridge may patch services/status".
func right(account, verb, group, resource, sub string) string {
	if group != "" {
		resource += "." + group
	}
	if sub != "" {
		resource += "/" + sub
	}
	return account + " may " + verb + " " + resource
}

// compare fails if all scripts have run and left a right of the roles unused.
func (u *rightsUsed) compare() {
	given, err := rightsGiven()
	if err != nil {
		u.t.Fatal(err)
	}
	all, err := filepath.Glob(filepath.Join(scripts, "*.txtar"))
	if err != nil {
		u.t.Fatal(err)
	}
	unused := slices.DeleteFunc(given, func(r string) bool { return u.used[r] || r == usedLate })
	switch {
	case u.ended < len(all):
		u.t.Logf("rights that these scripts did not use:\n%s", strings.Join(unused, "\n"))
	case len(unused) > 0 && !u.t.Failed(): // a script that fails does not do all that it should
		u.t.Errorf("no script uses these rights of deploy/rbac.yaml and deploy/rbac-gateway.yaml:\n%s", strings.Join(unused, "\n"))
	}
}

// rightsGiven are those of the roles as they ship, one by one.
func rightsGiven() ([]string, error) {
	var given []string
	for _, file := range []string{"rbac.yaml", "rbac-gateway.yaml"} {
		raw, err := os.ReadFile(filepath.Join("..", "deploy", file))
		if err != nil {
			return nil, err
		}
		documents := yaml.NewYAMLOrJSONDecoder(bytes.NewReader(raw), 4096)
		for {
			var role rbacv1.ClusterRole // or a Role, or what has no rules
			err := documents.Decode(&role)
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			for _, rule := range role.Rules {
				given = append(given, rightsOf(role.Name, rule)...)
			}
		}
	}
	if len(given) < 30 {
		return nil, fmt.Errorf("only %d rights were found", len(given))
	}
	return given, nil
}

func rightsOf(account string, rule rbacv1.PolicyRule) (given []string) {
	for _, group := range rule.APIGroups {
		for _, path := range rule.Resources {
			resource, sub, _ := strings.Cut(path, "/")
			for _, verb := range rule.Verbs {
				given = append(given, right(account, verb, group, resource, sub))
			}
		}
	}
	return given
}
