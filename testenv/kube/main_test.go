package kube_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"landbridge.dev/testenv/kube"
	"landbridge.dev/testenv/netns"
)

func TestMain(m *testing.M) {
	netns.Main(m, netns.Options{Prepare: func(ctx context.Context) error {
		_, err := kube.Build(ctx, os.Stderr)
		return err
	}})
}

// start starts a control plane that ends with the test.
func start(t *testing.T, o kube.Options) *kube.ControlPlane {
	t.Helper()
	o.Dir = t.TempDir()
	cp, err := kube.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	return cp
}

func apply(t *testing.T, cp *kube.ControlPlane, manifest string) {
	t.Helper()
	if err := cp.Apply(t.Context(), []byte(manifest)); err != nil {
		t.Fatal(err)
	}
}

// await calls state until it returns want, and fails the test after a while.
func await(t *testing.T, want string, state func(context.Context) string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	got := "not known"
	for ctx.Err() == nil {
		now := state(ctx)
		if now == want {
			return
		}
		if ctx.Err() == nil { // else it is but the time-out's
			got = now
		}
		select {
		case <-again.C:
		case <-ctx.Done():
		}
	}
	t.Fatalf("state = %q, want %q", got, want)
}

// endpointStates lists the endpoints of a Service, IPv4, as "node conditions",
// sorted and joined: "node-a ready serving, node-b serving terminating".
func endpointStates(cp *kube.ControlPlane, namespace, service string) func(context.Context) string {
	return func(ctx context.Context) string {
		var all []string
		for _, e := range endpoints(ctx, cp, namespace, service) {
			state := *e.NodeName
			for _, c := range []struct {
				name string
				is   *bool
			}{{"ready", e.Conditions.Ready}, {"serving", e.Conditions.Serving}, {"terminating", e.Conditions.Terminating}} {
				if c.is != nil && *c.is {
					state += " " + c.name
				}
			}
			all = append(all, state)
		}
		slices.Sort(all)
		return strings.Join(all, ", ")
	}
}

func endpoints(ctx context.Context, cp *kube.ControlPlane, namespace, service string) []discoveryv1.Endpoint {
	list, err := cp.Client().DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{
		LabelSelector: discoveryv1.LabelServiceName + "=" + service,
	})
	if err != nil {
		return nil
	}
	var all []discoveryv1.Endpoint
	for _, s := range list.Items {
		if s.AddressType == discoveryv1.AddressTypeIPv4 {
			all = append(all, s.Endpoints...)
		}
	}
	return all
}

// annotate sets an annotation of a pod, "" removes it.
func annotate(t *testing.T, cp *kube.ControlPlane, namespace, pod, key, value string) {
	t.Helper()
	patch := fmt.Sprintf(`{"metadata":{"annotations":{%q:%q}}}`, key, value)
	if value == "" {
		patch = fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, key)
	}
	_, err := cp.Client().CoreV1().Pods(namespace).Patch(t.Context(), pod, types.MergePatchType, []byte(patch), metav1.PatchOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// get asks a URL's server over a connection of its own, and returns the body,
// or "refused", "reset" and the like.
func get(ctx context.Context, url string) string {
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err.Error()
	}
	resp, err := client.Do(r)
	if err != nil {
		return failure(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return failure(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, strings.TrimSpace(string(body)))
}

// ask sends a datagram and returns the answer.
func ask(addr string) string {
	c, err := net.Dial("udp", addr)
	if err != nil {
		return failure(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte("hello")); err != nil {
		return failure(err)
	}
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return failure(err)
	}
	buf := make([]byte, 1500)
	n, err := c.Read(buf)
	if err != nil {
		return failure(err)
	}
	return strings.TrimSpace(string(buf[:n]))
}

// failure is the last word of a network error: "refused", "EOF".
func failure(err error) string {
	words := strings.Fields(err.Error())
	return words[len(words)-1]
}

// without cuts the client's port, which differs from call to call.
func without(answer string) string {
	if i := strings.LastIndex(answer, ":"); i > strings.Index(answer, "client=") {
		return answer[:i]
	}
	return answer
}
