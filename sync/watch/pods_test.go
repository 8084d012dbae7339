package watch_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
	"landbridge.dev/sync/watch"
)

// api answers as an API server that can list and watch, and has Pods and
// Services alone.
type api struct {
	*httptest.Server
	pods, services []any
	events         chan string // of Pods
	forbidden      bool
	streams        bool // the first list as events, as of Kubernetes 1.32
}

func newAPI(t *testing.T, pods, services []any) *api {
	t.Helper()
	a := &api{pods: pods, services: services, events: make(chan string)}
	a.Server = httptest.NewServer(a)
	t.Cleanup(func() {
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	of, listed := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:], []any{}
	switch {
	case of == "pods" && a.forbidden:
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Forbidden","code":403,"message":"pods is forbidden"}`)
		return
	case of == "pods":
		listed = a.pods
	case of == "services":
		listed = a.services
	}
	if initial := r.URL.Query().Get("sendInitialEvents") == "true"; initial && a.streams {
		for _, o := range listed {
			fmt.Fprintln(w, event("ADDED", o))
		}
		fmt.Fprintln(w, bookmark(of))
	} else if initial { // an older API server
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`)
		return
	}
	if r.URL.Query().Get("watch") == "" {
		_ = json.NewEncoder(w).Encode(map[string]any{"metadata": map[string]any{"resourceVersion": "1"}, "items": listed})
		return
	}
	w.(http.Flusher).Flush()
	events := a.events
	if of != "pods" {
		events = nil
	}
	for {
		select {
		case e := <-events:
			fmt.Fprintln(w, e)
			w.(http.Flusher).Flush()
		case <-r.Context().Done():
			return
		}
	}
}

// told are the Pods and Services that a watcher told of, one a line.
type told struct {
	sync.Mutex
	lines []string
}

func (s *told) of(what string) func(state.Ref) {
	return func(r state.Ref) {
		s.Lock()
		defer s.Unlock()
		s.lines = append(s.lines, what+" "+r.String())
	}
}

// watching is a watcher of the API that has seen all that there is.
func watching(t *testing.T, a *api) (*watch.Watcher, *told) {
	t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: a.URL})
	if err != nil {
		t.Fatal(err)
	}
	seen := &told{}
	w, err := watch.New(client, nil, seen.of("service"), seen.of("pod"))
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- w.Run(t.Context()) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	if !w.WaitSynced(t.Context()) {
		t.Fatal("not synced")
	}
	return w, seen
}

func podOf(name string, gated bool, conditions ...string) *corev1.Pod {
	p := &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{Kind: "Pod", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, ResourceVersion: "2", Labels: map[string]string{"app": "web"}},
	}
	if gated {
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: translate.PodGate}}
	}
	for _, c := range conditions {
		p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{Type: corev1.PodConditionType(c), Status: "True"})
	}
	return p
}

// bookmark ends the first list of a resource.
func bookmark(resource string) string {
	kind, version := map[string]string{
		"pods": "Pod", "services": "Service", "nodes": "Node", "namespaces": "Namespace", "endpointslices": "EndpointSlice",
	}[resource], "v1"
	if kind == "EndpointSlice" {
		version = "discovery.k8s.io/v1"
	}
	return event("BOOKMARK", map[string]any{"kind": kind, "apiVersion": version, "metadata": map[string]any{
		"resourceVersion": "1", "annotations": map[string]string{metav1.InitialEventsAnnotationKey: "true"},
	}})
}

func event(kind string, o any) string {
	body, err := json.Marshal(map[string]any{"type": kind, "object": o})
	if err != nil {
		panic(err)
	}
	return string(body)
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	late := time.After(time.Minute)
	for !holds() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("not: %s", what)
		}
	}
}

// Of Pods those with our gate are kept, and no others; the Services that choose
// them are told of.
func TestPods(t *testing.T) {
	t.Parallel()
	for _, streams := range []bool{false, true} {
		t.Run(fmt.Sprintf("streams=%t", streams), func(t *testing.T) {
			t.Parallel()
			testPods(t, streams)
		})
	}
}

func testPods(t *testing.T, streams bool) {
	t.Helper()
	svc := &corev1.Service{
		TypeMeta:   metav1.TypeMeta{Kind: "Service", APIVersion: "v1"},
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": "web"}},
	}
	other := &corev1.Service{TypeMeta: svc.TypeMeta, ObjectMeta: metav1.ObjectMeta{Namespace: "bank", Name: "web"}, Spec: svc.Spec}
	a := newAPI(t, []any{podOf("plain", false), podOf("first", true)}, []any{svc, other})
	a.streams = streams
	w, seen := watching(t, a)
	ref := func(name string) state.Ref { return state.Ref{Namespace: "shop", Name: name} }
	if got := w.Pods(); len(got) != 1 || got[0] != ref("first") {
		t.Errorf("it keeps %v", got)
	}

	a.events <- event("ADDED", podOf("second", true))
	a.events <- event("ADDED", podOf("other", false))
	a.events <- event("MODIFIED", podOf("first", true, "ContainersReady"))
	a.events <- event("DELETED", podOf("second", true))
	eventually(t, "the first is ready and the second gone", func() bool {
		p, ok := w.Pod(ref("first"))
		_, second := w.Pod(ref("second"))
		return ok && p.Ready && !second
	})
	if _, ok := w.Pod(ref("other")); ok {
		t.Error("it keeps a Pod without the gate")
	}
	p, _ := w.Pod(ref("first"))
	if got := w.ServicesOf(p); len(got) != 1 || got[0].Namespace != "shop" {
		t.Errorf("it is of %v", got)
	}

	seen.Lock()
	seen.lines = nil
	seen.Unlock()
	a.events <- event("MODIFIED", podOf("first", true, "ContainersReady", "PodScheduled")) // nothing that we look at
	a.events <- event("MODIFIED", podOf("first", true, "ContainersReady", translate.PodGate))
	eventually(t, "its Service and the Pod are told of once", func() bool {
		seen.Lock()
		defer seen.Unlock()
		return strings.Join(seen.lines, ", ") == "service shop/web, pod shop/first"
	})
}

func TestWithoutTheRightToSeePodsNobodyWaits(t *testing.T) {
	t.Parallel()
	a := newAPI(t, []any{podOf("first", true)}, nil)
	a.forbidden = true
	w, _ := watching(t, a)
	if got := w.Pods(); len(got) > 0 {
		t.Errorf("it sees %v", got)
	}
}
