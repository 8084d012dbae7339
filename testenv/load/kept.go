package load

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// keepEvery is how often a client that stays connected asks.
const keepEvery = 500 * time.Millisecond

// kept is a connection that stays open.
type kept struct {
	from  netip.Addr
	leave chan struct{} // closed to end it

	conn      *conn // nil while there is none; its client's own, as is connected
	begun     time.Time
	connected time.Time

	who   string    // who answers; empty while nobody does; under Load.mu, as is since
	since time.Time // of the connection that who answered on
}

// Kept is a connection that stays open.
type Kept struct {
	Who   string // who answers, each time
	Since time.Time
}

// Keep opens n connections that stay open, and ask twice a second. One that
// breaks counts in the open windows, and its client connects again. Keep
// returns when all have been answered once.
func (l *Load) Keep(ctx context.Context, n int) error {
	first := make(chan error, n)
	for range n {
		k := &kept{leave: make(chan struct{})}
		l.mu.Lock()
		k.from = l.address()
		l.kept = append(l.kept, k)
		l.mu.Unlock()
		l.asking.Go(func() { l.keep(k, first) })
	}
	for range n {
		select {
		case err := <-first:
			if err != nil {
				return fmt.Errorf("a connection to be kept: %w", err)
			}
		case <-ctx.Done():
			return fmt.Errorf("opening connections to be kept: %w", ctx.Err())
		}
	}
	return nil
}

// Renew has the n oldest clients that stay connected hang up, and n others come.
func (l *Load) Renew(ctx context.Context, n int) error {
	l.mu.Lock()
	n = min(n, len(l.kept))
	gone := l.kept[:n]
	l.kept = l.kept[n:]
	l.mu.Unlock()
	for _, k := range gone {
		close(k.leave)
	}
	return l.Keep(ctx, n)
}

// HangUp has all clients that stay connected to those hang up that of says yes
// to, and says how many they were.
func (l *Load) HangUp(of func(who string) bool) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	var stay []*kept
	n := 0
	for _, k := range l.kept {
		if of(k.who) {
			close(k.leave)
			n++
			continue
		}
		stay = append(stay, k)
	}
	l.kept = stay
	return n
}

// Kept are the connections that are open now.
func (l *Load) Kept() []Kept {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Kept, 0, len(l.kept))
	for _, k := range l.kept {
		if k.who != "" {
			all = append(all, Kept{Who: k.who, Since: k.since})
		}
	}
	return all
}

// keep has one client stay connected. first is told how its first question went.
func (l *Load) keep(k *kept, first chan<- error) {
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	defer func() {
		if k.conn != nil {
			k.conn.close()
		}
	}()
	for {
		who, err := k.ask(l.o.Address)
		err = l.answered(k, who, err)
		if first != nil {
			first <- err
			first = nil
		}
		if err != nil && k.conn != nil {
			k.conn.close()
			k.conn = nil
		}
		select {
		case <-tick.C:
		case <-k.leave:
			return
		case <-l.ctx.Done():
			return
		}
	}
}

// ask asks once more, over a connection that it opens if there is none.
func (k *kept) ask(to netip.AddrPort) (who string, err error) {
	if k.conn == nil {
		k.begun, k.connected = time.Now(), time.Time{}
		if k.conn, err = dial(to, k.from); err != nil {
			return "", err
		}
		k.connected = time.Now()
	}
	return k.conn.ask(false)
}

// answered notes who answered, and tells the windows what is wrong with it.
func (l *Load) answered(k *kept, who string, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && k.since.Equal(k.connected) && who != k.who {
		err = fmt.Errorf("answered by %s", who)
	}
	if err == nil {
		k.who, k.since = who, k.connected
		return nil
	}
	for w := range l.windows {
		w.broke(Failure{Begun: k.begun, At: time.Now(), Connected: k.connected, Who: k.who, Kind: kind(err)})
	}
	k.who = ""
	return err
}
