package testenv_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"landbridge.dev/testenv/world"
)

// completable are Services, of which two speak to Landbridge.
const completable = `
apiVersion: v1
kind: Namespace
metadata: {name: pay}
---
apiVersion: v1
kind: Service
metadata: {name: cart, namespace: shop, annotations: {landbridge.dev/partition: web}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: internal, namespace: shop}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: bills, namespace: pay, annotations: {landbridge.dev/partition: web}}
spec: {ports: [{port: 80}]}
---
apiVersion: v1
kind: ServiceAccount
metadata: {name: alice, namespace: shop}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: alice, namespace: shop}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: view}
subjects: [{kind: ServiceAccount, name: alice, namespace: shop}]
`

// What a shell is offered for NAMESPACE/SERVICE: what the caller may see of what
// speaks to Landbridge, also by way of kubectl.
func TestServicesAreCompleted(t *testing.T) {
	t.Parallel()
	w := startWorld(t)
	if err := w.Kube.Apply(t.Context(), []byte(completable)); err != nil {
		t.Fatal(err)
	}
	alice, err := w.Kube.KubeconfigFor(t.Context(), "shop", "alice")
	if err != nil {
		t.Fatal(err)
	}
	silent := hanging(t)
	const done = ":4\n" // and no names of files
	admin := w.Kube.Kubeconfig()
	for _, c := range []struct {
		name, kubeconfig string
		args             []string
		want             string
	}{
		{"of all namespaces", admin, []string{"share", ""}, "pay/bills\nshop/cart\n" + done},
		{"begun", admin, []string{"share", "sh"}, "shop/cart\n" + done},
		{"of one namespace", admin, []string{"release", "pay/"}, "pay/bills\n" + done},
		{"no percentage", admin, []string{"share", "shop/cart", ""}, done},
		{"with rights in one namespace", alice, []string{"wait", "shop/"}, "shop/cart\n" + done},
		{"without a right", alice, []string{"status", "pay/"}, done},
		{"without a cluster", filepath.Join(w.Dir(), "none"), []string{"status", ""}, done},
		{"from a server that hangs", silent, []string{"status", ""}, done},
	} {
		out, err := w.Landbridge(t.Context(), append([]string{"__complete", c.args[0], "--kubeconfig", c.kubeconfig}, c.args[1:]...)...)
		if err != nil || out.Stdout != c.want || strings.Contains(out.Stderr, "landbridge:") {
			t.Errorf("%s: %q (%v), want %q\n%s", c.name, out.Stdout, err, c.want, out.Stderr)
		}
	}
	script, err := w.Landbridge(t.Context(), "completion", "bash")
	if err != nil || !strings.Contains(script.Stdout, "complete -o default -F __start_landbridge landbridge") {
		t.Errorf("completion bash (%v) prints %q", err, script.Stdout)
	}
	completesInKubectl(t, w)
}

// hanging is a kubeconfig of a server that takes connections and says nothing.
func hanging(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() }) // nobody hears it
	path := filepath.Join(t.TempDir(), "kubeconfig")
	text := "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{name: a, context: {cluster: a}}]\n" +
		"clusters: [{name: a, cluster: {server: 'https://" + l.Addr().String() + "'}}]\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// completesInKubectl does what the documentation says, in a folder of its own,
// and has kubectl complete.
func completesInKubectl(t *testing.T, w *world.World) {
	t.Helper()
	raw, err := os.ReadFile("../docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	commands := regexp.MustCompile("(?s)```sh\n(printf .*?)```").FindSubmatch(raw)
	if commands == nil {
		t.Fatal("docs/operating.md does not say how kubectl completes")
	}
	dir, kubectl := t.TempDir(), w.Kube.Binaries().Kubectl
	binary, err := world.Binary()
	if err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"kubectl": kubectl, "kubectl-landbridge": binary} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.CommandContext(t.Context(), "sh", "-ec", strings.ReplaceAll(string(commands[1]), "/usr/local/bin", dir)).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", commands[1], err, out)
	}
	cmd := exec.CommandContext(t.Context(), kubectl, "__complete", "landbridge", "share", "sh")
	cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "KUBECONFIG="+w.Kube.Kubeconfig(), "HOME="+dir)
	if out, err := cmd.Output(); err != nil || string(out) != "shop/cart\n:4\n" {
		t.Errorf("kubectl offers %q (%v)", out, err)
	}
}
