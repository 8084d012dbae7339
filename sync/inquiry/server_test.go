package inquiry

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"

	"landbridge.dev/testenv/kube"
	"landbridge.dev/testenv/netns"
)

func TestMain(m *testing.M) {
	netns.Main(m, netns.Options{Prepare: func(ctx context.Context) error {
		_, err := kube.Build(ctx, os.Stderr)
		return err
	}})
}

// TestServer has one API server, and a namespace for each of its tests.
func TestServer(t *testing.T) {
	t.Parallel()
	cp, err := kube.Start(t.Context(), kube.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	client, err := dynamic.NewForConfig(cp.Config())
	if err != nil {
		t.Fatal(err)
	}
	a := asked{cp, client}
	t.Run("before there are Inquiries", a.testNone)
	a.install(t)
	t.Run("with Inquiries", func(t *testing.T) {
		t.Run("an answer is waited for", a.testWaits)
		t.Run("an error is told, and nothing stays", a.testErrors)
		t.Run("one that nobody took away", a.testTidy)
	})
}

// asked is an API server that is asked.
type asked struct {
	cp     *kube.ControlPlane
	client dynamic.Interface
}

// install makes Inquiries, in namespaces for the tests.
func (a asked) install(t *testing.T) {
	t.Helper()
	manifest, err := os.ReadFile("../../deploy/inquiries.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, ns := range []string{"waits", "errors", "tidy"} {
		manifest = append(manifest, "\n---\n{apiVersion: v1, kind: Namespace, metadata: {name: "+ns+"}}\n"...)
	}
	if err := a.cp.Apply(t.Context(), manifest); err != nil {
		t.Fatal(err)
	}
}

// serve answers the Inquiries of a namespace until the test ends.
func (a asked) serve(t *testing.T, namespace string, answer func(context.Context, Question) (any, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	server := &Server{
		Client: a.client, Home: home, Namespaces: []string{namespace}, Answer: answer,
		Failed: func(err error) { t.Errorf("failed: %v", err) },
	}
	go func() { done <- server.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func (a asked) testNone(t *testing.T) {
	_, err := Ask(t.Context(), a.client, Question{About: Status, Namespace: "default"})
	if err == nil || !strings.Contains(err.Error(), "no inquiries.landbridge.dev") || !strings.Contains(err.Error(), "--local") {
		t.Errorf("it is said: %v", err)
	}
}

// A standby does not answer; when it leads, it does.
func (a asked) testWaits(t *testing.T) {
	t.Parallel()
	tries := 0
	a.serve(t, "waits", func(_ context.Context, q Question) (any, error) {
		if tries++; tries < 3 {
			return nil, ErrNotNow
		}
		return map[string]string{"of": q.Namespace + "/" + q.Service, "about": q.About}, nil
	})
	text, err := Ask(t.Context(), a.client, Question{About: Plan, Namespace: "waits", Service: "web"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(text)), `{"about":"plan","of":"waits/web"}`; got != want {
		t.Errorf("the answer is %s, want %s", got, want)
	}
	if tries != 3 {
		t.Errorf("it was tried %d times, want 3", tries)
	}
}

func (a asked) testErrors(t *testing.T) {
	t.Parallel()
	a.serve(t, "errors", func(_ context.Context, q Question) (any, error) {
		if q.Service == "never" {
			return nil, ErrNotNow
		}
		return nil, errors.New("the device does not answer")
	})
	_, err := Ask(t.Context(), a.client, Question{About: Status, Namespace: "errors"})
	if err == nil || err.Error() != "the controller answers: the device does not answer" {
		t.Errorf("it is said: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err = Ask(ctx, a.client, Question{About: Status, Namespace: "errors", Service: "never"})
	if err == nil || !strings.Contains(err.Error(), "no controller has answered") {
		t.Errorf("without an answer it is said: %v", err)
	}
	left, err := a.client.Resource(Resource()).Namespace("errors").List(t.Context(), metav1.ListOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(left.Items); n != 0 {
		t.Errorf("%d Inquiries are left", n)
	}
}

// An Inquiry goes five minutes after it was made, answered or not, and not one
// that has taken its name since.
func (a asked) testTidy(t *testing.T) {
	t.Parallel()
	inquiries := a.client.Resource(Resource()).Namespace("tidy")
	u, err := Question{About: Status}.object()
	if err != nil {
		t.Fatal(err)
	}
	made, err := inquiries.Create(t.Context(), u, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	server := &Server{
		Client: a.client, Home: home, Failed: func(err error) { t.Errorf("failed: %v", err) },
		Answer: func(context.Context, Question) (any, error) { return nil, errors.New("too late") },
	}
	server.start()
	t.Cleanup(server.queue.ShutDown)
	seen := func(age time.Duration, change func(*unstructured.Unstructured)) error {
		u := made.DeepCopy()
		u.SetCreationTimestamp(metav1.NewTime(time.Now().Add(-age)))
		change(u)
		server.serve(t.Context(), "tidy/"+u.GetName(), u)
		_, err := inquiries.Get(t.Context(), u.GetName(), metav1.GetOptions{})
		return err
	}
	as := func(*unstructured.Unstructured) {}
	if err := seen(stays-time.Minute, as); err != nil {
		t.Errorf("a young one: %v", err)
	}
	if err := seen(stays, func(u *unstructured.Unstructured) { u.SetUID("another") }); err != nil {
		t.Errorf("one that took the name of an old one: %v", err)
	}
	if err := seen(stays, as); !apierrors.IsNotFound(err) {
		t.Errorf("an old one: %v, want that it is gone", err)
	}
	if err := seen(stays, as); !apierrors.IsNotFound(err) {
		t.Errorf("one that is gone: %v", err)
	}
}
