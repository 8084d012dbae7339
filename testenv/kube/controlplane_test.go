package kube_test

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"landbridge.dev/testenv/kube"
)

func TestBuildWarmPrintsNothing(t *testing.T) {
	t.Parallel()
	var progress strings.Builder
	b, err := kube.Build(t.Context(), &progress)
	if err != nil {
		t.Fatal(err)
	}
	if progress.Len() > 0 {
		t.Errorf("progress = %q, want nothing", progress.String())
	}
	for _, path := range []string{b.Etcd, b.APIServer, b.ControllerManager, b.Kubectl} {
		if _, err := os.Stat(path); err != nil {
			t.Error(err)
		}
	}
}

func TestControlPlanesSideBySide(t *testing.T) {
	t.Parallel()
	a, b := start(t, kube.Options{}), start(t, kube.Options{})
	apply(t, a, "{apiVersion: v1, kind: ConfigMap, metadata: {name: mine}}")
	_, err := b.Client().CoreV1().ConfigMaps("default").Get(t.Context(), "mine", metav1.GetOptions{})
	if !apierrors.IsNotFound(err) {
		t.Errorf("reading the other's object: %v, want not found", err)
	}
	uidA, errA := a.UID(t.Context())
	uidB, errB := b.UID(t.Context())
	if errA != nil || errB != nil || uidA == uidB {
		t.Errorf("UIDs %q (%v) and %q (%v), want two", uidA, errA, uidB, errB)
	}
}

const reader = `
apiVersion: v1
kind: ServiceAccount
metadata: {name: reader, namespace: shop}
---
# Nothing but a comment.
---
apiVersion: v1
kind: List
items:
- apiVersion: rbac.authorization.k8s.io/v1
  kind: Role
  metadata: {name: reader, namespace: shop}
  rules: [{apiGroups: [""], resources: [services], verbs: [get, list]}]
- apiVersion: rbac.authorization.k8s.io/v1
  kind: RoleBinding
  metadata: {name: reader, namespace: shop}
  roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
  subjects: [{kind: ServiceAccount, name: reader, namespace: shop}]
`

func TestServiceAccountHasItsRoleOnly(t *testing.T) {
	t.Parallel()
	cp := start(t, kube.Options{})
	apply(t, cp, reader)
	path, err := cp.KubeconfigFor(t.Context(), "shop", "reader")
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.CoreV1().Services("shop").List(t.Context(), metav1.ListOptions{}); err != nil {
		t.Errorf("listing services of shop: %v, want allowed", err)
	}
	if _, err := client.CoreV1().Services("default").List(t.Context(), metav1.ListOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("listing services of default: %v, want forbidden", err)
	}
	if _, err := client.CoreV1().Services("shop").Create(t.Context(), &corev1.Service{}, metav1.CreateOptions{}); !apierrors.IsForbidden(err) {
		t.Errorf("making a service: %v, want forbidden", err)
	}
	out, err := exec.CommandContext(t.Context(), cp.Binaries().Kubectl, "--kubeconfig", path, "auth", "can-i", "list", "services", "-n", "shop").CombinedOutput()
	if err != nil || string(out) != "yes\n" {
		t.Errorf("kubectl auth can-i: %q, %v; want yes", out, err)
	}
}

func TestAPIServerFaults(t *testing.T) {
	t.Parallel()
	cp := start(t, kube.Options{})
	apply(t, cp, "{apiVersion: v1, kind: ConfigMap, metadata: {name: kept}}")
	read := func(timeout time.Duration) error {
		ctx, cancel := context.WithTimeout(t.Context(), timeout)
		defer cancel()
		_, err := cp.Client().CoreV1().ConfigMaps("default").Get(ctx, "kept", metav1.GetOptions{})
		return err
	}

	for range 2 { // a second pause is none
		if err := cp.PauseAPIServer(); err != nil {
			t.Fatal(err)
		}
	}
	if err := read(200 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "deadline") {
		t.Errorf("reading from a paused API server: %v, want a time-out", err)
	}
	if err := cp.ResumeAPIServer(); err != nil {
		t.Fatal(err)
	}
	if err := read(20 * time.Second); err != nil {
		t.Errorf("reading from a resumed API server: %v", err)
	}

	if err := cp.StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	if err := read(20 * time.Second); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("reading from a stopped API server: %v, want refused", err)
	}
	if err := cp.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := read(20 * time.Second); err != nil {
		t.Errorf("reading from a started API server: %v", err)
	}
}

func TestStartFailsWithTheLog(t *testing.T) {
	t.Parallel()
	_, err := kube.Start(t.Context(), kube.Options{Dir: t.TempDir(), APIServerFlags: []string{"--no-such-flag"}})
	if err == nil || !strings.Contains(err.Error(), "unknown flag: --no-such-flag") {
		t.Errorf("Start: %v, want the API server's complaint", err)
	}
}
