package histories

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/report"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// What sync/reconcile does between a Service and its end, with a cluster in
// place of the API server.

// translated is what a Service asks for now, with the addresses that the book
// gives it.
func (r *replica) translated(in translate.Input) translate.Result {
	ref := state.Ref{Namespace: in.Service.Namespace, Name: in.Service.Name}
	policy := translate.Policy{Config: r.cluster.config, Identity: r.cluster.identity}
	in.Given = r.book.Given(ref)
	result := translate.Service(in, policy)
	if !result.Addressed || in.Service.DeletionTimestamp != nil {
		return result
	}
	answer, others := r.book.Claim(allocate.Claim{
		Service: ref, Created: in.Service.CreationTimestamp.Time, Known: translate.Noted(in.Service), Ask: result.Ask,
	})
	if !answer.Same(in.Given) {
		in.Given = answer
		result = translate.Service(in, policy)
	}
	r.lookAgain(others)
	return result
}

// asks is what a Service asks for as the replica sees it, changing nothing.
func (r *replica) asks(ref state.Ref) translate.Result {
	in, _ := r.cluster.input(ref)
	in.Given = r.book.Given(ref)
	return translate.Service(in, translate.Policy{Config: r.cluster.config, Identity: r.cluster.identity})
}

// lookAgain has Services translated anew, in a moment.
func (r *replica) lookAgain(refs []state.Ref) {
	for _, ref := range refs {
		r.box.post(func() { r.translate(ref) })
	}
}

// taker takes back what the device shows before an address is given.
type taker struct{ *replica }

// Read takes in where the device shows whom.
func (t taker) Read(backend string, listeners map[state.Address][]state.Ref) {
	t.lookAgain(t.book.Read(backend, listeners))
}

// Seen takes in where the device shows one Service.
func (t taker) Seen(backend string, service state.Ref, at []state.Address) {
	t.lookAgain(t.book.Seen(backend, service, at))
}

// translate is reconcile's: from what is seen of a Service to the ledger.
func (r *replica) translate(ref state.Ref) {
	in, exists := r.cluster.input(ref)
	rec := r.records[ref]
	if !exists {
		r.withdraw(ref)
		return
	}
	result := r.translated(in)
	if !result.Addressed && !report.Touched(in.Service) && rec == nil {
		return
	}
	claim := report.Claim{Backends: result.Want.Backends(), Given: result.Given, Addresses: result.Addresses, LastGood: result.LastGood}
	follows := result.Want.Mode == state.Follow || result.Want.Routes == state.Follow
	wanted := result.Addressed && in.Service.DeletionTimestamp == nil
	if wanted && follows && len(result.Want.Objects) > 0 && !claim.StandsOn(in.Service) {
		if r.leading && !r.cluster.away {
			r.cluster.claim(ref, claim) // seen by all, which ends here again
			return
		}
		r.held[ref] = true
		result.Want.Mode, result.Want.Routes = max(result.Want.Mode, state.Hold), max(result.Want.Routes, state.Hold)
		result.Want.Objects = slices.DeleteFunc(slices.Clone(result.Want.Objects), func(o state.Object) bool { return o.ID().Kind == state.KindRoute })
	}
	if rec == nil {
		rec = &record{reports: map[string]apply.Report{}}
		r.records[ref] = rec
	}
	rec.result = result
	if !result.Again.IsZero() {
		time.AfterFunc(time.Until(result.Again), func() { r.lookAgain([]state.Ref{ref}) })
	}
	r.put(result.Want, in.Service.CreationTimestamp.Time)
	r.tell(ref)
}

// withdraw takes a Service out of the ledger that is no longer there.
func (r *replica) withdraw(ref state.Ref) {
	rec := r.records[ref]
	if rec == nil {
		return
	}
	last := rec.result.Want
	want := state.Want{Service: ref, Drain: last.Drain, Deleted: last.Deleted, Orphan: last.Orphan}
	if last.Deleted && (last.Mode == state.Still || last.Routes == state.Still) {
		want.Mode, want.Routes = last.Mode, last.Routes
	}
	rec.result = translate.Result{Want: want}
	r.put(rec.result.Want, time.Time{})
	r.tell(ref)
}

func (r *replica) put(want state.Want, created time.Time) {
	r.seen.asks(want)
	r.ledger.Put(want, created)
}

// reported takes in what a worker says of a Service.
func (r *replica) reported(told apply.Report) {
	r.said[saying{told.Backend, told.Service}] = told
	if rec := r.records[told.Service]; rec != nil {
		rec.reports[told.Backend] = told
		r.tell(told.Service)
	}
}

// tell is reconcile's report, of which only some things matter here: that a
// Service has been spoken of, and that the finalizer goes when nothing of it
// stands outside, or it has waited for too long.
func (r *replica) tell(ref state.Ref) {
	rec := r.records[ref]
	if rec == nil || r.cluster.away {
		return
	}
	s := r.cluster.services[ref]
	wanted := s != nil && rec.result.Addressed && s.object.DeletionTimestamp == nil
	gone, left := r.gone(ref, rec)
	switch {
	case !wanted && gone:
		r.forget(ref)
	case s == nil || !r.leading:
	case len(left) > 0:
		r.cluster.leave(ref, left)
	case !wanted && rec.result.Want.Mode != state.Still && r.overdue(ref, s.object):
		r.cluster.release(ref)
	default:
		problems, settled := r.problems(ref)
		if len(problems) > 0 || (settled && wanted) {
			r.cluster.report(ref, rec.result.Addresses, len(problems) == 0, settled && r.announced(ref))
		}
	}
}

// gone says whether nothing of a Service stands outside any more; left are the
// backends on which nothing does, is wanted, and which the Service still names.
func (r *replica) gone(ref state.Ref, rec *record) (gone bool, left []string) {
	gone = true
	wanted := rec.result.Want.Backends()
	for backend, revision := range r.ledger.Revisions(ref) {
		told, is := rec.reports[backend]
		is = is && told.Revision == revision && told.Gone
		gone = gone && is
		s := r.cluster.services[ref]
		if is && s != nil && slices.Contains(report.StandsOn(s.object), backend) && !slices.Contains(wanted, backend) {
			left = append(left, backend)
		}
	}
	return gone, left
}

// announced says whether a Service has a route that leads somewhere.
func (r *replica) announced(ref state.Ref) bool {
	return slices.ContainsFunc(r.records[ref].result.Want.Objects, func(o state.Object) bool {
		route, is := o.(*state.Route)
		return is && len(route.NextHops) > 0
	})
}

// forget ends the bookkeeping of a Service of which nothing stands any more.
func (r *replica) forget(ref state.Ref) {
	if s := r.cluster.services[ref]; s != nil && report.Touched(s.object) {
		if r.leading {
			r.cluster.release(ref)
		}
		return
	}
	delete(r.records, ref)
	delete(r.held, ref)
	r.ledger.Forget(ref)
	r.lookAgain(r.book.Release(ref))
}

// overdue says whether a deleted Service has waited for longer than the
// configuration lets it; if it may wait on, it is looked at again in time.
func (r *replica) overdue(ref state.Ref, svc *corev1.Service) bool {
	timeout := time.Duration(r.cluster.config.FinalizerTimeout)
	if timeout == 0 || svc.DeletionTimestamp == nil || !report.Claimed(svc) {
		return false
	}
	left := time.Until(svc.DeletionTimestamp.Add(timeout))
	if left > 0 {
		time.AfterFunc(left, func() { r.box.post(func() { r.tell(ref) }) })
	}
	return left <= 0
}

// problems are why a Service is not as asked, as its condition would say;
// settled is whether it is as asked.
func (r *replica) problems(ref state.Ref) (problems []state.Problem, settled bool) {
	rec := r.records[ref]
	if rec == nil {
		return nil, false
	}
	problems, settled = append(problems, rec.result.Problems...), true
	for backend, revision := range r.ledger.Revisions(ref) {
		told, is := rec.reports[backend]
		is = is && told.Revision == revision
		settled = settled && is && told.Settled
		if is {
			problems = append(problems, told.Problems...)
		}
	}
	problems = slices.DeleteFunc(problems, func(p state.Problem) bool { return p.Reason == "MembersOfOthers" }) // keeps nothing from its place
	return problems, settled
}

// noted writes what a controller writes on a Service. The API server may be
// away; what says nothing new is not written.
func (c *cluster) noted(ref state.Ref, write func(*corev1.Service)) {
	s := c.services[ref]
	if c.away || s == nil {
		return
	}
	s.object = s.object.DeepCopy()
	write(s.object)
	changed := c.changed[ref] // by people
	defer func() { c.changed[ref] = changed }()
	if s.object.DeletionTimestamp != nil && len(s.object.Finalizers) == 0 {
		delete(c.services, ref)
	}
	c.event(ref)
}

// claim writes a claim, after which it has to stand: otherwise it would be
// written again for ever.
func (c *cluster) claim(ref state.Ref, claim report.Claim) {
	write := func(svc *corev1.Service) {
		svc.Finalizers = []string{report.Finalizer}
		stands := slices.Concat(report.StandsOn(svc), claim.Backends)
		slices.Sort(stands)
		note(svc, translate.AnnotationStandsOn, strings.Join(slices.Compact(stands), ","))
		note(svc, translate.AnnotationLastGood, translate.WithLastGoodRoutes(svc, claim.LastGood))
		if len(claim.Given) > 0 {
			svc.Annotations[translate.AnnotationAddress] = addressWords(claim.Addresses)
		}
	}
	svc := c.services[ref].object.DeepCopy()
	if write(svc); !claim.StandsOn(svc) {
		c.routers.play.violated("%s of %s has what is claimed written, and it does not stand: %+v in %v", ref, c.identity.Cluster, claim, svc.Annotations)
		return
	}
	c.noted(ref, write)
}

// note writes an annotation; an empty one is taken away.
func note(svc *corev1.Service, key, value string) {
	if svc.Annotations[key] = value; value == "" {
		delete(svc.Annotations, key)
	}
}

func (c *cluster) leave(ref state.Ref, left []string) {
	c.noted(ref, func(svc *corev1.Service) {
		stays := slices.DeleteFunc(report.StandsOn(svc), func(backend string) bool { return slices.Contains(left, backend) })
		note(svc, translate.AnnotationStandsOn, strings.Join(stays, ","))
	})
}

func (c *cluster) release(ref state.Ref) {
	c.noted(ref, func(svc *corev1.Service) {
		svc.Finalizers, svc.Status.Conditions = nil, nil
		for _, key := range written() {
			delete(svc.Annotations, key)
		}
	})
}

// report notes of a Service where it is, and whether its routes are announced.
func (c *cluster) report(ref state.Ref, addresses []state.Address, asAsked, announced bool) {
	svc := c.services[ref].object
	known := meta.IsStatusConditionTrue(svc.Status.Conditions, translate.ConditionBGP)
	if !asAsked {
		announced = known
	}
	observed, address := svc.Annotations[translate.AnnotationObserved], svc.Annotations[translate.AnnotationAddress]
	if asAsked {
		address = addressWords(addresses)
	}
	if observed != "" && address == svc.Annotations[translate.AnnotationAddress] && announced == known {
		return
	}
	c.noted(ref, func(svc *corev1.Service) {
		svc.Status.Conditions = nil
		if announced {
			svc.Status.Conditions = []metav1.Condition{{Type: translate.ConditionBGP, Status: metav1.ConditionTrue}}
		}
		svc.Annotations[translate.AnnotationObserved] = "seen"
		svc.Annotations[translate.AnnotationAddress] = address
	})
}

// written are the annotations that a controller writes.
func written() []string {
	return []string{translate.AnnotationObserved, translate.AnnotationAddress, translate.AnnotationStandsOn, translate.AnnotationLastGood}
}

func addressWords(addresses []state.Address) string {
	var words []string
	for _, a := range addresses {
		words = append(words, a.String())
	}
	return strings.Join(words, ",")
}
