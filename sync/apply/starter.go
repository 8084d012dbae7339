package apply

// Starter is a Backend that begins with nothing and whose far end remembers
// what the process before told it: a router under graceful restart. It has to
// hear the whole before it is told that this is all.
type Starter interface {
	// Start is called, from a goroutine of its own, each time when all that
	// was to be done after changes were allowed is done.
	Start()
}

// rest tells a Starter that there is nothing left to do, once for each time that
// changes are allowed.
func (w *Worker) rest() {
	if !w.act || w.rested || w.reading || len(w.flying) > 0 || len(w.locks.waiting) > 0 {
		return
	}
	w.rested = true
	if s, ok := w.Backend.(Starter); ok {
		w.calls.Go(s.Start)
	}
}
