package testenv_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"landbridge.dev/deploy"
	"landbridge.dev/testenv/world"
)

// Each right is taken away alone: `check` says which, and that is all it says.
// What a controller does without the rights to write, the script rights shows;
// that each of them is used at all, rightsUsed does.
func TestEachRightIsMissedByName(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	rights, err := deploy.Rights()
	if err != nil {
		t.Fatal(err)
	}
	var manifests bytes.Buffer
	for i := range rights {
		without(t, &manifests, i, rights)
	}
	if err := w.Kube.Apply(t.Context(), manifests.Bytes()); err != nil {
		t.Fatal(err)
	}
	conf := filepath.Join(w.Dir(), "alone.yaml")
	if err := os.WriteFile(conf, []byte("apiVersion: landbridge.dev/v1\nkind: Config\ncluster: test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Run("without", func(t *testing.T) {
		for i, r := range rights {
			t.Run(strings.NewReplacer(" ", "-", "/", "-").Replace(r.String()), func(t *testing.T) {
				t.Parallel()
				misses(t, w, conf, as(t, w, userWithout(i)), fmt.Sprintf("user %s may not %s ", userWithout(i), r))
			})
		}
	})
}

func userWithout(i int) string { return fmt.Sprintf("without-%d", i) }

// misses waits until `check` finds nothing wrong in the cluster but what is
// expected: the API server takes a moment to know of new roles.
func misses(t *testing.T, w *world.World, conf, kubeconfig, want string) {
	t.Helper()
	deadline := time.Now().Add(patience)
	for {
		out, err := w.Landbridge(t.Context(), "check", "--config", conf, "--kubeconfig", kubeconfig, "--lease-namespace", world.Namespace)
		var problems []string
		for line := range strings.Lines(out.Stdout) {
			if strings.HasPrefix(line, "problem") && strings.Contains(line, " kubernetes ") {
				problems = append(problems, line)
			}
		}
		if err != nil && len(problems) == 1 && strings.Contains(problems[0], want) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("check (%v) finds %q, want %q alone\n%s", err, problems, want, out.Stderr)
		}
	}
}

// as is a kubeconfig of somebody.
func as(t *testing.T, w *world.World, user string) string {
	t.Helper()
	c, err := clientcmd.LoadFromFile(w.Kube.Kubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range c.AuthInfos {
		info.Impersonate = user
	}
	path := filepath.Join(w.Dir(), user+".kubeconfig")
	if err := clientcmd.WriteToFile(*c, path); err != nil {
		t.Fatal(err)
	}
	return path
}

// without writes the roles of a user who has all rights but one.
func without(t *testing.T, to *bytes.Buffer, i int, rights []deploy.Right) {
	t.Helper()
	user := userWithout(i)
	var cluster, lease []rbacv1.PolicyRule
	for _, r := range slices.Delete(slices.Clone(rights), i, i+1) {
		rule := rbacv1.PolicyRule{Verbs: []string{r.Verb}, APIGroups: []string{r.Group}, Resources: []string{r.Resource}}
		if r.Subresource != "" {
			rule.Resources[0] += "/" + r.Subresource
		}
		if r.Name != "" {
			rule.ResourceNames = []string{r.Name}
		}
		if r.Lease {
			lease = append(lease, rule)
		} else {
			cluster = append(cluster, rule)
		}
	}
	const api = "rbac.authorization.k8s.io"
	meta := metav1.ObjectMeta{Name: user}
	there := metav1.ObjectMeta{Name: user, Namespace: world.Namespace}
	kind := func(k string) metav1.TypeMeta { return metav1.TypeMeta{APIVersion: api + "/v1", Kind: k} }
	subjects := []rbacv1.Subject{{Kind: "User", APIGroup: api, Name: user}}
	for _, o := range []any{
		rbacv1.ClusterRole{TypeMeta: kind("ClusterRole"), ObjectMeta: meta, Rules: cluster},
		rbacv1.ClusterRoleBinding{TypeMeta: kind("ClusterRoleBinding"), ObjectMeta: meta, RoleRef: rbacv1.RoleRef{APIGroup: api, Kind: "ClusterRole", Name: user}, Subjects: subjects},
		rbacv1.Role{TypeMeta: kind("Role"), ObjectMeta: there, Rules: lease},
		rbacv1.RoleBinding{TypeMeta: kind("RoleBinding"), ObjectMeta: there, RoleRef: rbacv1.RoleRef{APIGroup: api, Kind: "Role", Name: user}, Subjects: subjects},
	} {
		raw, err := yaml.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(to, "---\n%s", raw)
	}
}

// startWorld starts a world without traffic, which ends with the test.
func startWorld(t *testing.T) *world.World {
	t.Helper()
	w, err := world.Start(t.Context(), world.Options{Dir: t.TempDir(), NoTraffic: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	return w
}
