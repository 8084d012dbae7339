package inquiry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/dynamic/dynamicinformer"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/workqueue"
)

// again is how soon an Inquiry is looked at again that could not be answered,
// because this process does not lead say, and rest for how many times as long
// as an answer took, up to mostRest, none is worked on: who asks must not slow
// down what is done. An answer may have taken long because it measured.
const (
	again    = time.Second
	rest     = 2
	mostRest = 5 * time.Second
)

// ErrNotNow is an answer's error when another, or a later try, may have it.
var ErrNotNow = errors.New("not now")

// Server answers Inquiries.
type Server struct {
	// Client reads and answers. Where the cluster has no Inquiries, it is
	// looked for them again and again.
	Client dynamic.Interface
	// Home is the controller's namespace.
	Home string
	// Namespaces are those whose Inquiries are looked at; empty for all.
	Namespaces []string
	// Answer says what is to be answered, as something that is JSON; with an
	// error that wraps ErrNotNow the Inquiry waits.
	Answer func(context.Context, Question) (any, error)
	// Failed is told what could not be read or written.
	Failed func(error)

	informers []cache.SharedIndexInformer
	queue     workqueue.TypedDelayingInterface[string] // namespace/name
}

// Run answers, one Inquiry at a time, until ctx ends.
func (s *Server) Run(ctx context.Context) error {
	s.start()
	namespaces := []string{corev1.NamespaceAll}
	if len(s.Namespaces) > 0 {
		namespaces = append([]string{s.Home}, s.Namespaces...)
	}
	for _, ns := range namespaces {
		if err := s.watch(ns); err != nil {
			return fmt.Errorf("informer of inquiries: %w", err)
		}
	}
	var watching sync.WaitGroup
	defer watching.Wait()
	for _, informer := range s.informers {
		watching.Go(func() { informer.RunWithContext(ctx) })
	}
	stop := context.AfterFunc(ctx, s.queue.ShutDown)
	defer stop()
	for {
		key, shutdown := s.queue.Get()
		if shutdown {
			return nil
		}
		began := time.Now()
		if u := s.find(key); u != nil {
			s.serve(ctx, key, u)
		}
		s.queue.Done(key)
		select {
		case <-time.After(min(rest*time.Since(began), mostRest)):
		case <-ctx.Done():
		}
	}
}

func (s *Server) start() { s.queue = workqueue.NewTypedDelayingQueue[string]() }

// watch has the Inquiries of a namespace come to the queue.
func (s *Server) watch(namespace string) error {
	informer := dynamicinformer.NewFilteredDynamicInformer(s.Client, Resource(), namespace, 0, cache.Indexers{}, nil).Informer()
	s.informers = append(s.informers, informer)
	_, err := informer.AddEventHandler(cache.ResourceEventHandlerFuncs{AddFunc: func(o any) {
		if key, err := cache.MetaNamespaceKeyFunc(o); err == nil {
			s.queue.Add(key)
		}
	}})
	return errors.Join(err, informer.SetTransform(withoutAnswer), informer.SetWatchErrorHandlerWithContext(s.unread))
}

// find is an Inquiry as last seen; nil if there is none.
func (s *Server) find(key string) *unstructured.Unstructured {
	for _, informer := range s.informers {
		if o, exists, err := informer.GetStore().GetByKey(key); err == nil && exists {
			u, _ := o.(*unstructured.Unstructured)
			return u
		}
	}
	return nil
}

// withoutAnswer keeps of an Inquiry what is looked at: of its answer, that there
// is one.
func withoutAnswer(o any) (any, error) {
	if u, ok := o.(*unstructured.Unstructured); ok {
		u.SetManagedFields(nil)
		if a, done := answerOf(u); done && a.Answer != "" {
			return o, unstructured.SetNestedField(u.Object, "-", "status", "answer")
		}
	}
	return o, nil
}

// unread takes in that Inquiries could not be read. A cluster that has none
// needs no word.
func (s *Server) unread(_ context.Context, _ *cache.Reflector, err error) {
	if !apierrors.IsNotFound(err) && !errors.Is(err, context.Canceled) {
		s.Failed(fmt.Errorf("reading inquiries: %w", err))
	}
}

// serve answers one Inquiry. What was answered long ago is taken away: whoever
// asked did not.
func (s *Server) serve(ctx context.Context, key string, u *unstructured.Unstructured) {
	inquiries := s.Client.Resource(Resource()).Namespace(u.GetNamespace())
	left := stays - time.Since(u.GetCreationTimestamp().Time)
	_, done := answerOf(u)
	if left <= 0 {
		uid := u.GetUID()
		err := inquiries.Delete(ctx, u.GetName(), metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid}})
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil {
			s.Failed(fmt.Errorf("taking inquiry %s away: %w", key, err))
			s.queue.AddAfter(key, stays)
		}
		return
	}
	s.queue.AddAfter(key, left)
	if done {
		return
	}
	a, err := s.answer(ctx, u)
	switch {
	case ctx.Err() != nil:
		return
	case errors.Is(err, ErrNotNow):
		s.queue.AddAfter(key, again)
		return
	case err != nil:
		a = answered{Error: err.Error()}
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"uid": u.GetUID()}, "status": a})
	if err == nil {
		_, err = inquiries.Patch(ctx, u.GetName(), types.MergePatchType, patch, metav1.PatchOptions{FieldManager: "landbridge"}, "status")
	}
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsConflict(err) && ctx.Err() == nil { // else whoever asked is gone
		s.Failed(fmt.Errorf("answering inquiry %s: %w", key, err))
		s.queue.AddAfter(key, mostRest)
	}
}

func (s *Server) answer(ctx context.Context, u *unstructured.Unstructured) (answered, error) {
	q, err := questionOf(u, s.Home)
	if err != nil {
		return answered{}, err
	}
	say, err := s.Answer(ctx, q)
	if err != nil {
		return answered{}, err
	}
	packed, err := pack(say)
	return answered{Answer: packed}, err
}
