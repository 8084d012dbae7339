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
)

// nodePort is where a port of web's Service is on a node: TCP http, UDP dns.
func nodePort(t *testing.T, cp *kube.ControlPlane, namespace, node, port string, family int) string {
	t.Helper()
	s, err := cp.Client().CoreV1().Services(namespace).Get(t.Context(), "web", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	addrs, err := cp.Nodes().Addrs(node)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Spec.Ports {
		if p.Name == port {
			return netip.AddrPortFrom(addrs[family], uint16(p.NodePort)).String()
		}
	}
	t.Fatalf("no port %s", port)
	return ""
}

// answering collects which pods of the two answer within a number of calls.
func answering(ctx context.Context, calls int, call func(context.Context) string) string {
	seen := map[string]bool{}
	for range calls {
		_, rest, found := strings.Cut(call(ctx), "pod=")
		if found {
			seen[strings.Fields(rest)[0]] = true
		}
	}
	return fmt.Sprint(len(seen))
}

func testNodePorts(t *testing.T, cp *kube.ControlPlane, ns string) {
	startWeb(t, cp, ns)
	for family, name := range []string{"IPv4", "IPv6"} {
		for _, node := range []string{"node-a", "node-b"} {
			http := "http://" + nodePort(t, cp, ns, node, "http", family)
			await(t, "2", func(ctx context.Context) string {
				return answering(ctx, 6, func(ctx context.Context) string { return get(ctx, http) })
			})
			addrs, err := cp.Nodes().Addrs(node)
			if err != nil {
				t.Fatal(err)
			}
			if got := get(t.Context(), http); !strings.Contains(got, addrs[family].String()) {
				t.Errorf("%s of %s: %q, want the node as client", name, node, got)
			}
			dns := nodePort(t, cp, ns, node, "dns", family)
			await(t, "2", func(ctx context.Context) string {
				return answering(ctx, 6, func(context.Context) string { return ask(dns) })
			})
		}
	}
}

func testLocalNodePorts(t *testing.T, cp *kube.ControlPlane, ns string) {
	startWeb(t, cp, ns)
	patch := `{"spec":{"type":"LoadBalancer","externalTrafficPolicy":"Local"}}`
	s, err := cp.Client().CoreV1().Services(ns).Patch(t.Context(), "web", types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := podOn(t, cp, ns, "node-a"), podOn(t, cp, ns, "node-b")
	call := func(node string) func(context.Context) string {
		url := "http://" + nodePort(t, cp, ns, node, "http", 0)
		return func(ctx context.Context) string { return without(get(ctx, url)) }
	}
	local := func(p *corev1.Pod) string {
		return fmt.Sprintf("200 pod=%s ip=%s client=192.0.2.1", p.Name, p.Status.PodIP)
	}
	await(t, local(a), call("node-a"))
	await(t, local(b), call("node-b"))

	annotate(t, cp, ns, b.Name, "testenv.landbridge.dev/ready", "false")
	await(t, "refused", call("node-b"))
	await(t, local(a), call("node-a"))
	health := func(node string) func(context.Context) string {
		addrs, err := cp.Nodes().Addrs(node)
		if err != nil {
			t.Fatal(err)
		}
		url := fmt.Sprintf("http://%s:%d/healthz", addrs[0], s.Spec.HealthCheckNodePort)
		return func(ctx context.Context) string { return get(ctx, url) }
	}
	answer := `{"localEndpoints":%d,"service":{"name":"web","namespace":"local-node-ports"},"serviceProxyHealthy":true}`
	await(t, "200 "+fmt.Sprintf(answer, 1), health("node-a"))
	await(t, "503 "+fmt.Sprintf(answer, 0), health("node-b"))
}
