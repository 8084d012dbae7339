package charts_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/chart/loader"
	chart "helm.sh/helm/v4/pkg/chart/v2"
	"helm.sh/helm/v4/pkg/kube"
	batchv1 "k8s.io/api/batch/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/world"
)

func TestMain(m *testing.M) {
	netns.Main(m, netns.Options{Prepare: func(ctx context.Context) error { return world.Prepare(ctx, os.Stderr) }})
}

// site is a cluster with a device, and Helm.
type site struct {
	*world.World
	helm *action.Configuration
}

func newSite(t *testing.T) *site {
	t.Helper()
	w, err := world.Start(t.Context(), world.Options{Dir: t.TempDir(), Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Stop(); err != nil {
			t.Error(err)
		}
	})
	s := &site{World: w, helm: action.NewConfiguration()}
	// The rights that a world gives: those of the chart are to be enough.
	for _, file := range []string{"rbac.yaml", "rbac-gateway.yaml"} {
		path, err := filepath.Abs(filepath.Join("..", "deploy", file))
		if err != nil {
			t.Fatal(err)
		}
		if out, err := s.Kubectl(t.Context(), "delete", "-f", path, "--ignore-not-found", "--wait=false"); err != nil {
			t.Fatal(out.Stderr)
		}
	}
	s.eventually(t, "the namespace is gone", func() bool {
		out, err := s.Kubectl(t.Context(), "get", "namespace", namespace, "--ignore-not-found", "-o", "name")
		return err == nil && out.Stdout == ""
	})
	flags := genericclioptions.NewConfigFlags(false)
	kubeconfig, in := w.Kube.Kubeconfig(), namespace
	flags.KubeConfig, flags.Namespace = &kubeconfig, &in
	if err := s.helm.Init(flags, namespace, "secret"); err != nil {
		t.Fatal(err)
	}
	// Those of Prometheus' operator, as far as the API server has to know them.
	for _, kind := range []string{"ServiceMonitor", "PrometheusRule"} {
		s.apply(t, strings.ReplaceAll(strings.ReplaceAll(resourceDefinition, "KINDS", strings.ToLower(kind)+"s"), "KIND", kind))
	}
	s.eventually(t, "servicemonitors are known", func() bool {
		_, err := s.Kubectl(t.Context(), "get", "servicemonitors,prometheusrules", "-A")
		return err == nil
	})
	return s
}

const resourceDefinition = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: KINDS.monitoring.coreos.com}
spec:
  group: monitoring.coreos.com
  names: {kind: KIND, plural: KINDS}
  scope: Namespaced
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}}]
`

func (s *site) apply(t *testing.T, manifest string) {
	t.Helper()
	if err := s.Kube.Apply(t.Context(), []byte(s.Expand(manifest))); err != nil {
		t.Fatal(err)
	}
}

// eventually waits until what is asked for is so.
func (s *site) eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	defer cancel()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-ctx.Done():
			t.Fatalf("waiting until %s", what)
		}
	}
}

// siteValues are those of a release in front of the device of a site.
const siteValues = `
config:
  cluster: $CLUSTER
  bigip:
    - {name: dc1, hosts: [$BIGIP], credentialsDir: /etc/landbridge/dc1, caFile: /etc/landbridge/dc1/ca.crt}
  addressPools: [{name: public, ranges: [$VIPS], autoAssign: true}]
  tenants: [{namespaces: [shop], partitions: [web], addressPools: [public]}]
secrets:
  dc1: {secretName: landbridge-dc1}
`

// secret makes the Secret that siteValues refer to, as docs/install.md does, with
// the device's user.
func (s *site) secret(t *testing.T) {
	t.Helper()
	of := func(name string) string {
		raw, err := os.ReadFile(filepath.Join(s.Dir(), "credentials", name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(raw))
	}
	fill := strings.NewReplacer("username=landbridge", "username="+of("username"), "password=…", "password="+of("password"), "bigip-ca.pem", "ca.crt")
	for _, line := range commandsOf(t, "install.md", "kubectl create namespace") {
		args := strings.Fields(line)
		for i := range args {
			args[i] = fill.Replace(args[i])
		}
		if out, err := s.Kubectl(t.Context(), args[1:]...); err != nil && !strings.Contains(out.Stderr, `namespaces "landbridge-system" already exists`) {
			t.Fatalf("%s: %s", line, out.Stderr)
		}
	}
}

// load reads the chart, which Helm may change.
func load(t *testing.T) *chart.Chart {
	t.Helper()
	c, err := loader.Load(folder)
	if err != nil {
		t.Fatal(err)
	}
	return c.(*chart.Chart)
}

// installation and upgrading are without hooks, which no kubelet would run.
func (s *site) installation(name string) *action.Install {
	i := action.NewInstall(s.helm)
	i.ReleaseName, i.Namespace, i.CreateNamespace, i.ServerSideApply = name, namespace, true, true
	i.DisableHooks, i.WaitStrategy, i.Timeout = true, kube.HookOnlyStrategy, time.Minute
	return i
}

func (s *site) upgrading() *action.Upgrade {
	u := action.NewUpgrade(s.helm)
	u.Namespace, u.DisableHooks, u.WaitStrategy, u.Timeout = namespace, true, kube.HookOnlyStrategy, time.Minute
	return u
}

func (s *site) install(t *testing.T, name string, values map[string]any) {
	t.Helper()
	if _, err := s.installation(name).Run(load(t), values); err != nil {
		t.Fatal(err)
	}
}

func (s *site) upgrade(t *testing.T, name string, values map[string]any) {
	t.Helper()
	if _, err := s.upgrading().Run(name, load(t), values); err != nil {
		t.Fatal(err)
	}
}

func (s *site) uninstall(t *testing.T, name string) {
	t.Helper()
	u := action.NewUninstall(s.helm)
	u.DisableHooks, u.WaitStrategy, u.Timeout = true, kube.HookOnlyStrategy, time.Minute
	if _, err := u.Run(name); err != nil {
		t.Fatal(err)
	}
}

// One after the other, on one site, of which each takes its time to start.
func TestReleases(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	t.Run("each combination", func(t *testing.T) { testCombinations(t, s) })
	t.Run("from an older chart", func(t *testing.T) { testUpgradeFromOlderChart(t, s) })
}

// An API server takes each combination, changes it into the next and back, and
// nothing is left when it goes.
func testCombinations(t *testing.T, s *site) {
	names := combinations(t)
	s.install(t, "landbridge", combination(t, names[0]))
	testPages(t, s)
	// One release serves a cluster: there cannot be a second one beside it.
	if _, err := s.installation("second").Run(load(t), combination(t, names[0])); err == nil || !strings.Contains(err.Error(), `"inquiries.landbridge.dev"`) {
		t.Errorf("a second release: %v", err)
	}
	for _, name := range names[1:] {
		s.upgrade(t, "landbridge", combination(t, name))
	}
	deployments := s.Kube.Client().AppsV1().Deployments(namespace)
	if _, err := deployments.Get(t.Context(), "landbridge", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	back := action.NewRollback(s.helm)
	back.Version, back.DisableHooks, back.WaitStrategy, back.Timeout = slices.Index(names, "everything")+1, true, kube.HookOnlyStrategy, time.Minute
	if err := back.Run("landbridge"); err != nil {
		t.Fatal(err)
	}
	if _, err := deployments.Get(t.Context(), "bridge-gateway", metav1.GetOptions{}); err != nil {
		t.Error(err)
	}
	// What is rendered is taken as it is: hooks too, by a dry run.
	for _, name := range names {
		for _, hook := range mustRender(t, combination(t, name)).hooks {
			raw, err := hook.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(s.Dir(), "hook.json")
			if err := os.WriteFile(file, raw, 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := s.Kubectl(t.Context(), "create", "--dry-run=server", "--validate=strict", "-f", file); err != nil {
				t.Errorf("%s: %s: %s", name, hook.GetName(), out.Stderr)
			}
		}
	}
	s.uninstall(t, "landbridge")
	kinds := "deployments,services,configmaps,poddisruptionbudgets,networkpolicies,serviceaccounts,roles,rolebindings,servicemonitors,prometheusrules," +
		"clusterroles,clusterrolebindings,validatingadmissionpolicies,validatingadmissionpolicybindings"
	s.eventually(t, "nothing is left", func() bool {
		out, err := s.Kubectl(t.Context(), "get", kinds, "-n", namespace, "-l", "app.kubernetes.io/instance=landbridge", "-o", "name")
		return err == nil && out.Stdout == ""
	})
}

// A controller that runs as the chart's Deployment says, on the chart's
// configuration and with its rights alone, serves a Service; `check` misses no
// right. It begins once the Secret is there. A bad annotation is refused. At the
// end the hook gives the Service back, either way, so that no finalizer outlives
// the release.
func TestController(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	values := parse(t, s.Expand(siteValues+"uninstall: {release: keep}\n"))
	s.install(t, "landbridge", values)
	client := s.Kube.Client()
	deployment, err := client.AppsV1().Deployments(namespace).Get(ctx, "landbridge", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig, err := s.Kube.KubeconfigFor(ctx, namespace, deployment.Spec.Template.Spec.ServiceAccountName)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.unfold(ctx, t.TempDir(), deployment.Spec.Template.Spec); !errors.Is(err, errWaits) {
		t.Errorf("a pod begins without its Secret: %v", err)
	}
	s.secret(t)
	p, err := s.unfold(ctx, t.TempDir(), deployment.Spec.Template.Spec)
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.StartController("controller", p.args(deployment.Spec.Template.Spec.Containers[0].Args, kubeconfig)[1:]...)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := s.Landbridge(ctx, "check", "--config", p.config(), "--kubeconfig", kubeconfig); err != nil {
		t.Errorf("check: %v\n%s", err, out.Stdout)
	}
	s.apply(t, "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n")
	s.serve(t)
	if virtuals := s.Virtuals(); len(virtuals) != 1 {
		t.Errorf("on the device stand %v; the log:\n%s", virtuals, c.Log())
	}
	if out, err := s.Landbridge(ctx, "status", "-n", "shop", "--kubeconfig", s.Kube.Kubeconfig()); err != nil || !strings.Contains(out.Stdout, "shop/web") {
		t.Errorf("status, by asking the controller: %v\n%s%s", err, out.Stdout, out.Stderr)
	}
	s.eventually(t, "a bad annotation is refused", func() bool {
		out, err := s.Kubectl(ctx, "annotate", "service", "web", "-n", "shop", "--overwrite", "landbridge.dev/pod-share=5%")
		return err != nil && strings.Contains(out.Stderr, `landbridge.dev/pod-share: "5%" must be a whole number from 0 to 100`)
	})

	release := func(how string, left int) {
		values["uninstall"] = map[string]any{"release": how}
		hook := find[batchv1.Job](t, mustRender(t, values).hooks, "Job", "landbridge-release").Spec.Template.Spec
		if hook.ServiceAccountName != deployment.Spec.Template.Spec.ServiceAccountName {
			t.Errorf("the hook runs as %s", hook.ServiceAccountName)
		}
		if out, err := s.Landbridge(ctx, p.args(hook.Containers[0].Args, kubeconfig)...); err != nil {
			t.Fatalf("%v: %v\n%s%s", hook.Containers[0].Args, err, out.Stdout, out.Stderr)
		}
		if virtuals := s.Virtuals(); len(virtuals) != left {
			t.Errorf("with uninstall.release=%s stand on the device %v, want %d", how, virtuals, left)
		}
	}
	gone := func(when string) {
		if err := client.CoreV1().Services("shop").Delete(ctx, "web", metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
		if _, err := client.CoreV1().Services("shop").Get(ctx, "web", metav1.GetOptions{}); !apierrors.IsNotFound(err) {
			t.Errorf("%s: the Service is held by a finalizer: %v", when, err)
		}
	}
	release("remove", 0)
	gone("after uninstall.release=remove")
	s.serve(t)
	release("keep", 1)
	s.uninstall(t, "landbridge")
	if err := c.Stop(ctx); err != nil {
		t.Error(err)
	}
	gone("after the release")
}

// serve applies the Service of docs/install.md, and waits until it is served.
func (s *site) serve(t *testing.T) {
	t.Helper()
	s.apply(t, block(t, "install.md", "web.yaml"))
	s.eventually(t, "the Service is served", func() bool {
		return strings.Contains(s.programmed(t.Context(), t), "True")
	})
}

func (s *site) programmed(ctx context.Context, t *testing.T) string {
	t.Helper()
	service, err := s.Kube.Client().CoreV1().Services("shop").Get(ctx, "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range service.Status.Conditions {
		if c.Type == "landbridge.dev/Programmed" {
			return string(c.Status) + " " + c.Reason + ": " + c.Message
		}
	}
	return ""
}
