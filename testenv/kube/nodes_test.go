package kube_test

import (
	"context"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"landbridge.dev/testenv/kube"
	"landbridge.dev/testenv/kube/kubelet"
)

// web is a Deployment of two pods that serve HTTP on 8080 and UDP on 5353, and
// a dual-stack Service of type NodePort in front.
func web(namespace string) string {
	return strings.ReplaceAll(`
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: NS}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: web
        image: none
        ports: [{containerPort: 8080}, {containerPort: 5353, protocol: UDP}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: NS}
spec:
  type: NodePort
  ipFamilyPolicy: RequireDualStack
  selector: {app: web}
  ports: [{name: http, port: 80, targetPort: 8080}, {name: dns, port: 53, targetPort: 5353, protocol: UDP}]
`, "NS", namespace)
}

const bothReady = "node-a ready serving, node-b ready serving"

// startWeb makes web in a namespace and waits until both pods are ready.
func startWeb(t *testing.T, cp *kube.ControlPlane, namespace string) {
	t.Helper()
	apply(t, cp, web(namespace))
	await(t, bothReady, endpointStates(cp, namespace, "web"))
}

// TestPods shares one control plane among the tests that touch no node.
func TestPods(t *testing.T) {
	t.Parallel()
	cp := start(t, kube.Options{Nodes: []string{"node-a", "node-b"}})
	for name, test := range map[string]func(*testing.T, *kube.ControlPlane, string){
		"serve":            testServe,
		"readiness":        testReadiness,
		"readiness-gate":   testReadinessGate,
		"termination":      testTermination,
		"grace-period":     testGracePeriod,
		"address-taken":    testAddressTaken,
		"hundreds":         testHundreds,
		"node-ports":       testNodePorts,
		"local-node-ports": testLocalNodePorts,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, cp, name) // in the namespace of its name
		})
	}
}

// podOn is web's pod on a node.
func podOn(t *testing.T, cp *kube.ControlPlane, namespace, node string) *corev1.Pod {
	t.Helper()
	list, err := cp.Client().CoreV1().Pods(namespace).List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list.Items {
		if p.Spec.NodeName == node && p.DeletionTimestamp == nil {
			return &p
		}
	}
	t.Fatalf("no pod on %s", node)
	return nil
}

func testServe(t *testing.T, cp *kube.ControlPlane, ns string) {
	startWeb(t, cp, ns)
	p := podOn(t, cp, ns, "node-a")
	if p.Status.Phase != corev1.PodRunning || len(p.Status.PodIPs) != 2 {
		t.Fatalf("phase %s, addresses %v; want Running with two", p.Status.Phase, p.Status.PodIPs)
	}
	for n, client := range []string{"192.0.2.1", "[2001:db8:ffff::1]"} {
		ip := netip.MustParseAddr(p.Status.PodIPs[n].IP)
		want := fmt.Sprintf("pod=%s ip=%s client=%s", p.Name, ip, client)
		if got := without(get(t.Context(), "http://"+netip.AddrPortFrom(ip, 8080).String())); got != "200 "+want {
			t.Errorf("HTTP answer = %q, want %q", got, "200 "+want)
		}
		if got := without(ask(netip.AddrPortFrom(ip, 5353).String())); got != want {
			t.Errorf("UDP answer = %q, want %q", got, want)
		}
	}
}

func testReadiness(t *testing.T, cp *kube.ControlPlane, ns string) {
	startWeb(t, cp, ns)
	p := podOn(t, cp, ns, "node-b")
	health := fmt.Sprintf("http://%s:8080/healthz", p.Status.PodIP)

	annotate(t, cp, ns, p.Name, kubelet.ReadyAnnotation, "false")
	await(t, "node-a ready serving, node-b", endpointStates(cp, ns, "web"))
	await(t, "503 not ready", func(ctx context.Context) string { return get(ctx, health) })

	annotate(t, cp, ns, p.Name, kubelet.ReadyAnnotation, "")
	await(t, bothReady, endpointStates(cp, ns, "web"))
	await(t, "200 ok", func(ctx context.Context) string { return get(ctx, health) })
}

func testReadinessGate(t *testing.T, cp *kube.ControlPlane, ns string) {
	apply(t, cp, `
apiVersion: v1
kind: Pod
metadata: {name: gated, namespace: readiness-gate, labels: {app: gated}}
spec:
  nodeSelector: {kubernetes.io/hostname: node-a}
  readinessGates: [{conditionType: example.com/gate}]
  containers: [{name: c, image: none, ports: [{containerPort: 8080}]}]
---
apiVersion: v1
kind: Service
metadata: {name: gated, namespace: readiness-gate}
spec: {selector: {app: gated}, ports: [{port: 80, targetPort: 8080}]}
`)
	await(t, "node-a", endpointStates(cp, ns, "gated"))
	open := `{"status":{"conditions":[{"type":"example.com/gate","status":"True"}]}}`
	_, err := cp.Client().CoreV1().Pods(ns).Patch(t.Context(), "gated", types.StrategicMergePatchType, []byte(open), metav1.PatchOptions{}, "status")
	if err != nil {
		t.Fatal(err)
	}
	await(t, "node-a ready serving", endpointStates(cp, ns, "gated"))
}

func testTermination(t *testing.T, cp *kube.ControlPlane, ns string) {
	startWeb(t, cp, ns)
	p := podOn(t, cp, ns, "node-b")
	url := fmt.Sprintf("http://%s:8080", p.Status.PodIP)
	annotate(t, cp, ns, p.Name, kubelet.HoldAnnotation, "true")
	if err := cp.Client().CoreV1().Pods(ns).Delete(t.Context(), p.Name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	// The Deployment replaces the pod meanwhile, on the node with fewer.
	held := func(ctx context.Context) string {
		for _, e := range endpoints(ctx, cp, ns, "web") {
			if e.TargetRef.Name == p.Name {
				return fmt.Sprintf("ready=%t serving=%t terminating=%t", *e.Conditions.Ready, *e.Conditions.Serving, *e.Conditions.Terminating)
			}
		}
		return "gone"
	}
	await(t, "ready=false serving=true terminating=true", held)
	if got := get(t.Context(), url); !strings.HasPrefix(got, "200 pod="+p.Name) {
		t.Errorf("answer of the terminating pod = %q, want its name", got)
	}
	annotate(t, cp, ns, p.Name, kubelet.HoldAnnotation, "")
	await(t, "gone", held)
	if got := get(t.Context(), url); got != "refused" {
		t.Errorf("answer of the deleted pod = %q, want refused", got)
	}
}

func testGracePeriod(t *testing.T, cp *kube.ControlPlane, ns string) {
	startWeb(t, cp, ns)
	p := podOn(t, cp, ns, "node-a")
	second := int64(1)
	if err := cp.Client().CoreV1().Pods(ns).Delete(t.Context(), p.Name, metav1.DeleteOptions{GracePeriodSeconds: &second}); err != nil {
		t.Fatal(err)
	}
	await(t, "refused", func(ctx context.Context) string { return get(ctx, fmt.Sprintf("http://%s:8080", p.Status.PodIP)) })
	await(t, "false", func(ctx context.Context) string {
		got, err := cp.Client().CoreV1().Pods(ns).Get(ctx, p.Name, metav1.GetOptions{})
		return fmt.Sprint(err == nil && got.UID == p.UID)
	})
}

func TestNodeNotReady(t *testing.T) {
	t.Parallel()
	cp := start(t, kube.Options{Nodes: []string{"node-a", "node-b"}})
	startWeb(t, cp, "shop")
	p := podOn(t, cp, "shop", "node-b")
	if err := cp.Nodes().SetReady(t.Context(), "node-b", false); err != nil {
		t.Fatal(err)
	}
	await(t, "node-a ready serving, node-b", endpointStates(cp, "shop", "web"))
	if got := get(t.Context(), fmt.Sprintf("http://%s:8080/healthz", p.Status.PodIP)); got != "200 ok" {
		t.Errorf("answer of a pod on a node that is not ready = %q, want 200", got)
	}
	node, err := cp.Client().CoreV1().Nodes().Get(t.Context(), "node-b", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range node.Status.Conditions {
		if c.Type == corev1.NodeReady && c.Status == corev1.ConditionTrue {
			t.Error("node-b is Ready, want not")
		}
	}
	if err := cp.Nodes().SetReady(t.Context(), "node-b", true); err != nil {
		t.Fatal(err)
	}
	await(t, bothReady, endpointStates(cp, "shop", "web"))
}

func TestDeadNode(t *testing.T) {
	t.Parallel()
	cp := start(t, kube.Options{Nodes: []string{"node-a", "node-b"}})
	startWeb(t, cp, "shop")
	p := podOn(t, cp, "shop", "node-b")
	url := fmt.Sprintf("http://%s:8080/healthz", p.Status.PodIP)
	if err := cp.Nodes().Kill("node-b"); err != nil {
		t.Fatal(err)
	}
	if got := get(t.Context(), url); got != "refused" {
		t.Errorf("answer of a pod on a dead node = %q, want refused", got)
	}
	if got := get(t.Context(), "http://"+nodePort(t, cp, "shop", "node-b", "http", 0)); got != "refused" {
		t.Errorf("answer of a dead node's port = %q, want refused", got)
	}
	annotate(t, cp, "shop", p.Name, kubelet.ReadyAnnotation, "false") // nobody there to report it
	if got := endpointStates(cp, "shop", "web")(t.Context()); got != bothReady {
		t.Errorf("endpoints = %q, want unchanged", got)
	}
	if err := cp.Nodes().SetReady(t.Context(), "node-b", false); err != nil {
		t.Fatal(err)
	}
	await(t, "node-a ready serving, node-b", endpointStates(cp, "shop", "web"))
	annotate(t, cp, "shop", p.Name, kubelet.ReadyAnnotation, "")
	if err := cp.Nodes().Revive(t.Context(), "node-b"); err != nil {
		t.Fatal(err)
	}
	await(t, bothReady, endpointStates(cp, "shop", "web"))
	await(t, "200 ok", func(ctx context.Context) string { return get(ctx, url) })
}

func testAddressTaken(t *testing.T, cp *kube.ControlPlane, ns string) {
	pod := `{apiVersion: v1, kind: Pod, metadata: {name: NAME, namespace: address-taken}, spec: {nodeSelector: {kubernetes.io/hostname: node-a}, hostNetwork: true, containers: [{name: c, image: none, ports: [{containerPort: 8080, hostPort: 8080}]}]}}`
	state := func(name string) func(context.Context) string {
		return func(ctx context.Context) string {
			p, err := cp.Client().CoreV1().Pods(ns).Get(ctx, name, metav1.GetOptions{})
			if err != nil {
				return err.Error()
			}
			if s := p.Status.ContainerStatuses; len(s) == 1 && s[0].State.Waiting != nil {
				return string(p.Status.Phase) + " " + s[0].State.Waiting.Reason
			}
			return string(p.Status.Phase)
		}
	}
	apply(t, cp, strings.Replace(pod, "NAME", "first", 1))
	await(t, "Running", state("first"))
	apply(t, cp, strings.Replace(pod, "NAME", "second", 1))
	await(t, "Pending RunContainerError", state("second"))
	now := int64(0)
	if err := cp.Client().CoreV1().Pods(ns).Delete(t.Context(), "first", metav1.DeleteOptions{GracePeriodSeconds: &now}); err != nil {
		t.Fatal(err)
	}
	await(t, "Running", state("second"))
}

func TestNodesOutliveTheAPIServer(t *testing.T) {
	t.Parallel()
	cp := start(t, kube.Options{Nodes: []string{"node-a", "node-b"}})
	startWeb(t, cp, "shop")
	p := podOn(t, cp, "shop", "node-b")
	if err := cp.StopAPIServer(); err != nil {
		t.Fatal(err)
	}
	if got := get(t.Context(), fmt.Sprintf("http://%s:8080/healthz", p.Status.PodIP)); got != "200 ok" {
		t.Errorf("answer of a pod without an API server = %q, want 200", got)
	}
	if err := cp.StartAPIServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	annotate(t, cp, "shop", p.Name, kubelet.ReadyAnnotation, "false")
	await(t, "node-a ready serving, node-b", endpointStates(cp, "shop", "web"))
}

func testHundreds(t *testing.T, cp *kube.ControlPlane, ns string) {
	apply(t, cp, strings.Replace(web(ns), "replicas: 2", "replicas: 300", 1))
	await(t, "300", func(ctx context.Context) string {
		d, err := cp.Client().AppsV1().Deployments(ns).Get(ctx, "web", metav1.GetOptions{})
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(d.Status.ReadyReplicas)
	})
}
