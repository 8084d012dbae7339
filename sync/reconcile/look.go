package reconcile

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/config"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/report"
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
	// Dynamic is as in Options.
	Dynamic dynamic.Interface
	// Partial leaves out what cannot be read of backends, and has View.Unread
	// say so.
	Partial bool
	// Instead are Services that are looked at as they would be, in the place
	// of those that Kubernetes has by their names, or beside them. One that it
	// does not have has no endpoints yet.
	Instead []*corev1.Service
	// Live are the Services that are asked about where a running reconciler
	// looks: their pools alone are read from the device, unless they are too
	// many, and measured, and their queues asked for. Of all others it knows
	// what it last saw. nil: all are measured, and no pool is read.
	Live func(state.Ref) bool
	// Measure is for how long it is counted what comes to both sides of
	// pools that have pods and VMs; 0: not at all. MeasureOf is the one
	// Service whose pools are; the zero Ref: all.
	Measure   time.Duration
	MeasureOf state.Ref
	// Speakers are what replicas say of their BGP sessions; with Mute it is
	// not known, and why.
	Speakers []Speaker
	Mute     string
	// Queues looks at queues on the broker; nil for not at all. What it could
	// not find out is missing, and the error says why.
	Queues func(context.Context, []*state.QueueConsumer) (map[state.Ref]QueueStatus, error)
}

// View is Kubernetes and every backend, read once.
type View struct {
	LookOptions
	book     *ledger.Ledger
	services []seenService
	networks translate.Result
	have     map[string]*state.Set // by backend, of those that were read
	measured map[state.ID]float64  // the pods' part, in per cent, by pool
	queues   map[state.Ref]*QueueStatus
	// Unread is why backends could not be read.
	Unread map[string]error
}

// seenService is a Service that speaks to Landbridge, and what it asks for.
type seenService struct {
	service *corev1.Service
	result  translate.Result
}

// Look reads Kubernetes and every backend once, and writes nothing. What a
// paused controller would do is looked at as if it were not, and addresses are
// given as a controller would. A backend that cannot be read is an error, unless
// a partial view is asked for: a view that lacks a device would be believed.
func Look(ctx context.Context, o LookOptions) (*View, error) {
	v := &View{LookOptions: o}
	inputs, err := v.readKubernetes(ctx)
	if err != nil {
		return nil, err
	}
	return v, v.look(ctx, inputs)
}

// look reads every backend, and reckons what each Service asks for.
func (v *View) look(ctx context.Context, inputs []translate.Input) error {
	o := v.LookOptions
	v.have, v.Unread = map[string]*state.Set{}, map[string]error{}
	if o.Config.BGP != nil {
		v.Backends = append(slices.Clone(o.Backends), Backend{Backend: v.announcements(inputs)})
	}
	var names []string
	for _, b := range v.Backends {
		names = append(names, b.Name())
	}
	v.book = ledger.New(names...)
	for _, b := range v.Backends {
		have, err := b.Read(ctx, apply.Scope{})
		if err != nil && o.Partial && ctx.Err() == nil {
			v.Unread[b.Name()] = err
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: %w", b.Name(), err)
		}
		v.have[b.Name()] = have
		for _, ref := range have.Owners() {
			v.book.Seen(b.Name(), ref, func(id state.ID) bool { _, ok := have.Get(id); return ok }, shownOn(have, ref, o.Identity))
		}
	}
	v.translate(inputs)
	v.lookAtQueues(ctx, inputs)
	if o.Measure > 0 {
		return v.measure(ctx)
	}
	return nil
}

// readKubernetes is what it says about each Service, the oldest first.
func (v *View) readKubernetes(ctx context.Context) ([]translate.Input, error) {
	w, err := watch.New(v.Client, v.Config.Namespaces, func(state.Ref) {}, func(state.Ref) {})
	if err != nil {
		return nil, err
	}
	if v.Config.BGP != nil {
		if err := w.WatchNetworks(v.Config.BGP.PodNetworks.Source, v.Dynamic, func(time.Duration) {}); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	var watching sync.WaitGroup
	watching.Go(func() { _ = w.Run(ctx) }) // it ends without an error, with ctx
	defer func() {
		cancel()
		watching.Wait()
	}()
	if !w.WaitSynced(ctx) {
		return nil, fmt.Errorf("reading Kubernetes: %w", context.Cause(ctx))
	}
	return v.inputs(ctx, w), nil
}

// inputs is what a watcher that is in sync says about each Service, the oldest
// first.
func (v *View) inputs(ctx context.Context, w *watch.Watcher) []translate.Input {
	v.readNetworks(ctx, w)
	var inputs []translate.Input
	for _, ref := range w.Services() {
		if in, ok := w.Input(ref); ok && v.instead(ref) == nil {
			inputs = append(inputs, in)
		}
	}
	for _, svc := range v.Instead {
		in := w.InputOf(svc)
		if _, there := w.Service(in.Ref()); !there {
			in.Slices = unborn(svc)
		}
		inputs = append(inputs, in)
	}
	slices.SortFunc(inputs, func(a, b translate.Input) int {
		x, y := a.Service, b.Service
		return cmp.Or(x.CreationTimestamp.Compare(y.CreationTimestamp.Time), cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Name, y.Name))
	})
	return inputs
}

// readNetworks translates what is to be made for the networks of pods.
func (v *View) readNetworks(ctx context.Context, w *watch.Watcher) {
	ctx, cancel := context.WithTimeout(ctx, networksPatience)
	defer cancel()
	w.WaitNetworks(ctx)
	v.networks = translate.PodNetworks(w.Networks(), translate.Policy{Config: acting(v.Config), Identity: v.Identity})
}

// instead is the Service that is looked at in the place of one; nil for none.
func (v *View) instead(ref state.Ref) *corev1.Service {
	i := slices.IndexFunc(v.Instead, func(o *corev1.Service) bool { return o.Namespace == ref.Namespace && o.Name == ref.Name })
	if i < 0 {
		return nil
	}
	return v.Instead[i]
}

// unborn are the slices of a Service that Kubernetes does not have yet, as its
// controller would begin with them.
func unborn(svc *corev1.Service) []*discoveryv1.EndpointSlice {
	var all []*discoveryv1.EndpointSlice
	for _, family := range svc.Spec.IPFamilies {
		all = append(all, &discoveryv1.EndpointSlice{
			ObjectMeta:  metav1.ObjectMeta{Namespace: svc.Namespace, Labels: map[string]string{discoveryv1.LabelServiceName: svc.Name}},
			AddressType: discoveryv1.AddressType(family),
		})
	}
	return all
}

// translate says what each Service asks for, once all have laid their claims to
// addresses.
func (v *View) translate(inputs []translate.Input) {
	policy := translate.Policy{Config: acting(v.Config), Identity: v.Identity, Ahead: true}
	addresses := allocate.New()
	for _, in := range inputs {
		addressed(addresses, in, policy)
	}
	addresses.Open()
	for _, b := range v.Backends {
		if have := v.have[b.Name()]; have != nil { // none is given where it is not known who has which
			addresses.Read(b.Name(), apply.Listeners(have, v.Identity))
		}
	}
	v.book.Put(v.networks.Want, time.Time{})
	for _, in := range inputs {
		result, _ := addressed(addresses, in, policy)
		if result.Addressed || report.Touched(in.Service) { // as a controller does
			v.book.Put(result.Want, in.Service.CreationTimestamp.Time)
		}
		if result.Addressed {
			if a := result.Want.Approval; a != nil && unwritten(in, translate.Queue(in, policy)) {
				result.Problems = append(result.Problems, a.Problem(in.Ref()))
			}
			v.services = append(v.services, seenService{service: in.Service, result: result})
		}
	}
}

// shownOn are the frontends on which a backend shows a Service.
func shownOn(have *state.Set, ref state.Ref, identity state.Identity) []state.Frontend {
	var shows []state.Frontend
	for _, id := range have.Owned(ref) {
		o, _ := have.Get(id)
		if f, ok := state.FrontendOf(o); ok && identity.Owns(o.OwnedBy()) {
			shows = append(shows, f)
		}
	}
	return shows
}
