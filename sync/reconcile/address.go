package reconcile

import (
	"landbridge.dev/config"
	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// addressed translates a Service with the addresses that the book gives it. It
// also returns the other Services for which that makes a difference.
func addressed(book *allocate.Book, in translate.Input, p translate.Policy) (translate.Result, []state.Ref) {
	ref := in.Ref()
	in.Given = book.Given(ref)
	result := translate.Service(in, p)
	if !result.Addressed || in.Service.DeletionTimestamp != nil {
		return result, nil // until nothing of it stands outside, what it has stays with it
	}
	answer, others := book.Claim(allocate.Claim{
		Service: ref, Created: in.Service.CreationTimestamp.Time,
		Known: translate.Noted(in.Service), Ask: result.Ask,
	})
	if !answer.Same(in.Given) {
		in.Given = answer
		result = translate.Service(in, p)
	}
	return result, others
}

// translated is what a Service asks for now.
func (r *Reconciler) translated(in translate.Input) translate.Result {
	result, others := addressed(r.book, in, translate.Policy{Config: r.policy.Load(), Identity: r.Identity})
	r.lookAgain(others)
	return result
}

// lookAgain has Services translated anew.
func (r *Reconciler) lookAgain(refs []state.Ref) {
	for _, ref := range refs {
		r.inputs.Add(ref)
	}
}

// taker takes back what backends show before anything new is given.
type taker struct{ *Reconciler }

// Read takes in where a backend shows whom.
func (t taker) Read(backend string, listeners map[state.Address][]state.Ref) {
	t.lookAgain(t.book.Read(backend, listeners))
}

// Seen takes in where a backend shows one Service.
func (t taker) Seen(backend string, service state.Ref, at []state.Address) {
	t.lookAgain(t.book.Seen(backend, service, at))
}

// acting is a configuration as if nothing in it kept from making changes.
func acting(c *config.Config) *config.Config {
	a := *c
	a.Mode, a.Paused = config.ModeApply, false
	return &a
}
