package reconcile

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/config"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
	"landbridge.dev/sync/watch"
)

// LookOptions say what Look reads.
type LookOptions struct {
	Client   kubernetes.Interface
	Config   *config.Config
	Identity state.Identity
	Backends []Backend
}

// View is Kubernetes and every backend, read once.
type View struct {
	LookOptions
	book     *ledger.Ledger
	services []seenService
	have     map[string]*state.Set // by backend
}

// seenService is a Service that speaks to Landbridge, and what it asks for.
type seenService struct {
	service *corev1.Service
	result  translate.Result
}

// Look reads Kubernetes and every backend once, and writes nothing. What a
// paused controller would do is looked at as if it were not. A backend that
// cannot be read is an error: a view that lacks a device would be believed.
func Look(ctx context.Context, o LookOptions) (*View, error) {
	v := &View{LookOptions: o, have: map[string]*state.Set{}}
	if err := v.readKubernetes(ctx); err != nil {
		return nil, err
	}
	for _, b := range o.Backends {
		have, err := b.Read(ctx, apply.Scope{})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", b.Name(), err)
		}
		v.have[b.Name()] = have
		for _, ref := range have.Owners() {
			v.book.Seen(b.Name(), ref, func(id state.ID) bool { _, ok := have.Get(id); return ok }, shownOn(have, ref, o.Identity))
		}
	}
	return v, nil
}

func (v *View) readKubernetes(ctx context.Context) error {
	w, err := watch.New(v.Client, v.Config.Namespaces, func(state.Ref) {})
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { _ = w.Run(ctx) }) // it ends without an error, with ctx
	defer func() {
		cancel()
		watching.Wait()
	}()
	if !w.WaitSynced(ctx) {
		return fmt.Errorf("reading Kubernetes: %w", context.Cause(ctx))
	}
	var names []string
	for _, b := range v.Backends {
		names = append(names, b.Name())
	}
	v.book = ledger.New(names...)
	acting := *v.Config
	acting.Mode, acting.Paused = config.ModeApply, false
	for _, ref := range w.Services() {
		in, ok := w.Input(ref)
		if !ok {
			continue
		}
		result := translate.Service(in, translate.Policy{Config: &acting, Identity: v.Identity})
		if result.Addressed {
			v.book.Put(result.Want, in.Service.CreationTimestamp.Time)
			v.services = append(v.services, seenService{service: in.Service, result: result})
		}
	}
	return nil
}

// shownOn are the frontends on which a backend shows a Service.
func shownOn(have *state.Set, ref state.Ref, identity state.Identity) []state.Frontend {
	var shows []state.Frontend
	for _, id := range have.Owned(ref) {
		o, _ := have.Get(id)
		if v, ok := o.(*state.VirtualServer); ok && identity.Owns(v.Owner) {
			shows = append(shows, v.Frontend())
		}
	}
	return shows
}
