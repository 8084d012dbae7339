package histories

import "sync"

// box takes what workers and timers have for the replicas, until the goroutine
// that plays comes to it.
type box struct {
	mu   sync.Mutex
	mail []func()
	news chan struct{}
}

func newBox() *box { return &box{news: make(chan struct{}, 1)} }

// post puts something into the box.
func (b *box) post(what func()) {
	b.mu.Lock()
	b.mail = append(b.mail, what)
	b.mu.Unlock()
	select {
	case b.news <- struct{}{}:
	default:
	}
}

func (b *box) empty() []func() {
	b.mu.Lock()
	defer b.mu.Unlock()
	mail := b.mail
	b.mail = nil
	return mail
}
