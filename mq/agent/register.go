package agent

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"sync"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/protocol"
)

const (
	// answerTime is how long an answer is waited for.
	answerTime = 5 * time.Second
	// retry is the pause after a message that had no effect.
	retry = time.Second
	// slowRetry is that after one that was refused: a person has to do something.
	slowRetry = 5 * time.Second
	// drainPoll is how often connections are counted at the end.
	drainPoll = 200 * time.Millisecond
	// drainQuiet is for how long there must be none: until the registry's word has
	// got to the BIG-IP, new clients come.
	drainQuiet = 3 * time.Second
)

// registrar keeps one service registered.
type registrar struct {
	agent *Agent
	Register
	boot string
	log  *zap.Logger

	mu         sync.Mutex
	well       bool
	changed    chan struct{} // has room for one: well is another
	seq        uint64
	registered bool
	said       string // the last complaint, so that it is logged once
}

func newRegistrar(a *Agent, r Register) *registrar {
	return &registrar{agent: a, Register: r, boot: rand.Text(), changed: make(chan struct{}, 1), log: a.log.With(zap.String("service", r.Service))}
}

// run keeps the service registered until stop is closed, then drains it and
// leaves. When ctx ends it ends at once.
func (r *registrar) run(ctx context.Context, stop <-chan struct{}) {
	checking, done := context.WithCancel(ctx)
	var check sync.WaitGroup
	defer check.Wait()
	defer done()
	check.Go(func() { r.Check.run(checking, r.checked) })
	select {
	case <-r.changed: // the first result
	case <-stop:
		return
	case <-ctx.Done():
		return
	}
	for {
		pause := r.renew(ctx, protocol.Heartbeat)
		select {
		case <-time.After(pause):
		case <-r.changed:
		case <-stop:
			r.leave(ctx)
			return
		case <-ctx.Done():
			return
		}
	}
}

// checked takes in the result of a check.
func (r *registrar) checked(well bool, err error) {
	r.mu.Lock()
	r.well = well
	r.mu.Unlock()
	if well {
		r.log.Info("the service is well")
	} else {
		r.log.Warn("the service is not well", zap.Error(err))
	}
	select {
	case r.changed <- struct{}{}:
	default:
	}
}

// renew sends a message that renews the lease, or a registration where there is
// none, and says how long to wait for the next.
func (r *registrar) renew(ctx context.Context, op protocol.Op) time.Duration {
	if !r.registered {
		op = protocol.Register
	}
	answer, err := r.send(ctx, op)
	switch {
	case err != nil:
		r.complain(err.Error())
		return retry
	case answer.Accepted:
		if !r.registered || r.said != "" {
			r.log.Info("registered", zap.String("instance", r.agent.config.Instance), zap.Int("leaseSeconds", answer.LeaseSeconds))
		}
		r.registered, r.said = true, ""
		return max(time.Duration(answer.LeaseSeconds)*time.Second, protocol.LeastLease) / 3
	case answer.Code == protocol.Unknown:
		r.registered = false
		return 0 // another leader, or we were away for long
	case answer.Code == protocol.Stale:
		r.registered, r.boot = false, rand.Text()
	default:
		r.registered = false
	}
	r.complain(fmt.Sprintf("%s: %s", answer.Code, answer.Message))
	return slowRetry
}

// complain logs what is wrong, once until something else is.
func (r *registrar) complain(what string) {
	if what != r.said {
		r.log.Warn("not registered, trying again", zap.String("why", what))
	}
	r.said = what
}

// leave drains the service: it asks for no new clients, waits for the
// connections, and says that it is gone. What is not answered is not waited for
// beyond the time for the drain.
func (r *registrar) leave(ctx context.Context) {
	if !r.registered {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(*r.Drain))
	defer cancel()
	r.log.Info("draining")
	tick := time.NewTicker(drainPoll)
	defer tick.Stop()
	var next, quiet time.Time // quiet: since when it drains and nobody is connected
	sockets := r.sockets(ctx)
	for ctx.Err() == nil && (quiet.IsZero() || time.Since(quiet) < drainQuiet) {
		if now := time.Now(); r.registered && !now.Before(next) {
			pause := r.renew(ctx, protocol.Drain)
			next = time.Now().Add(pause)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		switch {
		case r.registered && r.said != "", connections(sockets) > 0:
			quiet = time.Time{}
		case quiet.IsZero():
			quiet = time.Now()
		}
	}
	if !r.registered {
		return // nobody knows of us
	}
	last, done := context.WithTimeout(context.WithoutCancel(ctx), answerTime)
	defer done()
	if _, err := r.send(last, protocol.Leave); err != nil {
		r.log.Warn("leaving without an answer: the lease runs out by itself", zap.Error(err))
		return
	}
	r.log.Info("left")
}

// sockets are where clients come to.
func (r *registrar) sockets(ctx context.Context) []netip.AddrPort {
	addresses, err := r.addresses(ctx)
	if err != nil {
		return nil // the broker is out of reach, and with it the answer
	}
	var sockets []netip.AddrPort
	for _, text := range addresses {
		a, err := netip.ParseAddr(text)
		for _, p := range r.Ports {
			if err == nil {
				sockets = append(sockets, netip.AddrPortFrom(a.Unmap(), uint16(p.Port)))
			}
		}
	}
	return sockets
}

// errNoReader is a registry that nobody reads.
var errNoReader = errors.New("no controller reads registrations now: none leads, or it has not read this broker before")

// send sends one message and waits for its answer.
func (r *registrar) send(ctx context.Context, op protocol.Op) (*protocol.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	m := protocol.Registration{V: protocol.Version, Op: op, Service: r.Service, Instance: r.agent.config.Instance, Boot: r.boot}
	r.mu.Lock()
	r.seq++
	m.Seq = r.seq
	well := r.well
	r.mu.Unlock()
	m.Ready = &well
	if op == protocol.Register {
		addresses, err := r.addresses(ctx)
		if err != nil {
			return nil, err
		}
		m.Addresses, m.Ports, m.Zone, m.LeaseSeconds = addresses, r.Ports, r.agent.config.Zone, int(time.Duration(r.Lease)/time.Second)
	}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	user, err := r.agent.config.user()
	if err != nil {
		return nil, err
	}
	got, outcome, err := r.agent.caller.Call(ctx, &broker.Message{
		Exchange: protocol.RegistryExchange(r.agent.config.Cluster), Key: "v1." + string(op), ContentType: "application/json", UserID: user, Body: body,
	})
	switch {
	case outcome == broker.Unroutable || outcome == broker.Confirmed && got == nil && !errors.Is(err, broker.ErrLost):
		return nil, errNoReader
	case err != nil:
		return nil, err
	}
	answer := &protocol.Answer{}
	if err := protocol.Read(got.Body, answer); err != nil {
		return nil, fmt.Errorf("the registry's answer: %w", err)
	}
	return answer, nil
}

// addresses are those that are written, or the one by which the broker is
// reached.
func (r *registrar) addresses(ctx context.Context) ([]string, error) {
	if len(r.Addresses) > 0 {
		return r.Addresses, nil
	}
	u, err := url.Parse(r.agent.config.MQ.URLs[0])
	if err != nil {
		return nil, err
	}
	port := u.Port()
	if port == "" {
		port = "5672"
	}
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", net.JoinHostPort(u.Hostname(), port)) // sends nothing
	if err != nil {
		return nil, fmt.Errorf("which address has this VM: %w", err)
	}
	defer c.Close()
	host, _, err := net.SplitHostPort(c.LocalAddr().String())
	return []string{host}, err
}
