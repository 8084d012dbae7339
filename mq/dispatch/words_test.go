package dispatch_test

import (
	"encoding/binary"
	"net/http"
	"testing"
	"time"

	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
	"landbridge.dev/testenv/peer"
)

// play is a gateway with a pod, and a peer in the place of the broker, which says
// what it is told to on time.
type play struct {
	*scene.Scene
	*peer.Peer
	gateway  *gateway
	consumer *peer.Consumer // of the gateway, its last
}

// newPlay starts one. The pod answers what passes with 200, and all else by
// answer.
func newPlay(t *testing.T, answer http.HandlerFunc, c func(*state.QueueConsumer), before ...func(*gateway)) *play {
	t.Helper()
	p := peer.New(t)
	s := scene.At(t, p.URL())
	served := consumer(s, newPod(t, func(w http.ResponseWriter, r *http.Request, _ int) {
		if r.Header.Get("Mq-H-Name") != "passes" {
			answer(w, r)
		}
	}))
	served.Timeout = time.Minute
	if c != nil {
		c(served)
	}
	g := start(s)
	for _, do := range before {
		do(g)
	}
	g.Set(ref, served)
	return &play{s, p, g, p.Consumed()}
}

// deliver gives the gateway a message, whose body its header name has as well.
func (p *play) deliver(body string) (tag uint64) {
	table := append([]byte{4}, "nameS"...)
	table = append(binary.BigEndian.AppendUint32(table, uint32(len(body))), body...)
	return p.consumer.DeliverWith(table, body)
}

// passes has another message delivered and acknowledged. It is alone, so that
// nothing before it is acknowledged that was not until now.
func (p *play) passes(while string) {
	p.TB.Helper()
	want := peer.Settled{Tag: p.deliver("passes"), Ack: true}
	if got := p.Settled(); got != want {
		p.TB.Fatalf("%s: settled %+v, want %+v", while, got, want)
	}
}

// copied waits for a copy. An acknowledgement in its place is one too early.
func (p *play) copied(after string) *peer.Publish {
	p.TB.Helper()
	select {
	case m := <-p.Publishes():
		return m
	case s := <-p.Settlements():
		p.TB.Fatalf("%s: settled %+v, and no copy is confirmed", after, s)
	case <-time.After(time.Minute):
		p.TB.Fatalf("%s: no copy came", after)
	}
	return nil
}

// confirm confirms a copy, and whatever comes in its place where that was too
// late, until the delivery is acknowledged.
func (p *play) confirm(m *peer.Publish, tag uint64) {
	p.TB.Helper()
	m.Ack(false)
	for {
		select {
		case m := <-p.Publishes():
			m.Ack(false)
		case s := <-p.Settlements():
			if s.Tag != tag || !s.Ack {
				p.TB.Fatalf("a copy is confirmed: settled %+v, want an acknowledgement of %d", s, tag)
			}
			return
		case <-time.After(time.Minute):
			p.TB.Fatal("a copy is confirmed, and nothing acknowledged")
		}
	}
}

// copied is a copy that the promise rests on.
type copied struct {
	name          string
	answer        http.HandlerFunc
	consumer      func(*state.QueueConsumer)
	exchange, key string
	queue         string // that it is meant for
}

func answers(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) }
}

func copies() []copied {
	last := func(c *state.QueueConsumer) { c.MaxAttempts = 1 }
	lastInOrder := func(c *state.QueueConsumer) { c.MaxAttempts, c.Ordering, c.OrderHeader = 1, state.OrderKey, "name" }
	cut := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		w.WriteHeader(http.StatusOK)
		panic(http.ErrAbortHandler)
	}
	return []copied{
		{"retry copy of a 500", answers(500), nil, retryQueue, "orders.work", retryQueue},
		{"retry copy of a 200 that was cut", cut, nil, retryQueue, "orders.work", retryQueue},
		{"dead letter of a 400", answers(400), nil, "", deadQueue, deadQueue},
		{"dead letter of the last attempt", answers(500), last, "", deadQueue, deadQueue},
		{"dead letter of the last attempt, in order", answers(500), lastInOrder, "", deadQueue, deadQueue},
	}
}

// The pod's 2xx is what is waited for, and nothing else.
func TestAcknowledgedAfterThePodsAnswer(t *testing.T) {
	t.Parallel()
	begun, answer := make(chan struct{}), make(chan struct{})
	p := newPlay(t, func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-answer
	}, nil)
	tag := p.deliver("a")
	<-begun
	p.passes("the pod has not answered")
	close(answer)
	if s := p.Settled(); s.Tag != tag || !s.Ack {
		t.Errorf("the pod has answered: settled %+v, want an acknowledgement of %d", s, tag)
	}
	select {
	case m := <-p.Publishes():
		t.Errorf("published to exchange %q, key %q", m.Exchange, m.Key)
	default:
	}
}

// Where the pod has not had its effect, the broker's word on the copy is. What is
// not a yes has the copy published again.
func TestAcknowledgedAfterTheCopyIsConfirmed(t *testing.T) {
	t.Parallel()
	for _, c := range copies() {
		for _, word := range []struct {
			name     string
			say      func(*peer.Publish) // nil: yes
			declared bool                // what the copy needs, before the next
		}{
			{"is confirmed", nil, false},
			{"is refused", (*peer.Publish).Nack, false},
			{"is returned, and confirmed", func(m *peer.Publish) { m.Return(); m.Ack(false) }, true},
			{"is on a channel that closes", func(m *peer.Publish) { m.CloseChannel(404, "NOT_FOUND") }, true},
			{"is on a connection that is cut", func(m *peer.Publish) { m.Conn.Cut() }, true},
			{"is returned, and the connection cut", func(m *peer.Publish) { m.Return(); m.Conn.Cut() }, true},
		} {
			t.Run(c.name+" "+word.name, func(t *testing.T) {
				t.Parallel()
				p := newPlay(t, c.answer, c.consumer)
				tag := p.deliver("a")
				m := p.copied("the pod has answered")
				if m.Exchange != c.exchange || m.Key != c.key || m.Body() != "a" || !m.Mandatory {
					t.Errorf("published %q to exchange %q, key %q, mandatory %t", m.Body(), m.Exchange, m.Key, m.Mandatory)
				}
				p.passes("the broker has said nothing of the copy")
				declared := p.Declared(c.queue)
				if word.say != nil {
					word.say(m)
					m = p.copied("the copy " + word.name)
					if m.Exchange != c.exchange || m.Key != c.key || m.Body() != "a" {
						t.Errorf("published again %q to exchange %q, key %q", m.Body(), m.Exchange, m.Key)
					}
					p.passes("the copy " + word.name + ", and comes again")
				}
				if again := p.Declared(c.queue) > declared; again != word.declared {
					t.Errorf("what the copy needs was declared again: %t", again)
				}
				p.confirm(m, tag)
			})
		}
	}
}

// A word that comes after the time for it counts for nothing: the message has
// been published again by then, or will be.
func TestConfirmThatComesTooLate(t *testing.T) {
	t.Parallel()
	for _, c := range copies() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlay(t, c.answer, c.consumer, func(g *gateway) { g.SetConfirm(200 * time.Millisecond) })
			tag := p.deliver("a")
			m := p.copied("the pod has answered")
			p.passes("the broker has said nothing of the copy")
			p.Eventually("the gateway waits no longer", func() bool { return p.Declared(c.queue) > 1 })
			m.Ack(false)
			m = p.copied("the copy is confirmed too late")
			p.passes("the next copy is not confirmed")
			p.confirm(m, tag)
		})
	}
}

// What ends the delivery before the copy is confirmed leaves it with the broker,
// which gives it again; whatever is said of the copy afterwards.
func TestCopyOfADeliveryThatIsLost(t *testing.T) {
	t.Parallel()
	for _, c := range copies() {
		for _, end := range []struct {
			name string
			is   func(*peer.Consumer)
		}{
			{"connection", func(c *peer.Consumer) { c.Conn.Cut() }},
			{"channel", func(c *peer.Consumer) { c.CloseChannel(406, "PRECONDITION_FAILED") }},
		} {
			for _, word := range []struct {
				name string
				say  func(*peer.Publish)
			}{
				{"is confirmed", func(m *peer.Publish) { m.Ack(false) }},
				{"is refused", (*peer.Publish).Nack},
			} {
				t.Run(c.name+" "+word.name+" after the end of the delivery's "+end.name, func(t *testing.T) {
					t.Parallel()
					p := newPlay(t, c.answer, c.consumer)
					p.deliver("a")
					m := p.copied("the pod has answered")
					p.passes("the broker has said nothing of the copy")
					end.is(p.consumer)
					word.say(m)
					p.consumer = p.Consumed()
					tag := p.deliver("a")
					m = p.copied("it is delivered again")
					p.passes("the copy of before " + word.name)
					p.confirm(m, tag)
				})
			}
		}
	}
}

// A gateway that has to end acknowledges nothing whose effect is not confirmed.
func TestNotAcknowledgedAtTheEnd(t *testing.T) {
	t.Parallel()
	for _, c := range copies() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPlay(t, c.answer, c.consumer, func(g *gateway) { g.Grace = time.Millisecond })
			p.deliver("a")
			p.copied("the pod has answered")
			p.passes("the broker has said nothing of the copy")
			p.gateway.stop() // the peer has read all before it lets channels close
			p.Unsettled()
		})
	}
	t.Run("a pod that does not answer", func(t *testing.T) {
		t.Parallel()
		begun := make(chan struct{})
		p := newPlay(t, func(_ http.ResponseWriter, r *http.Request) {
			close(begun)
			<-r.Context().Done()
		}, nil, func(g *gateway) { g.Grace = time.Millisecond })
		p.deliver("a")
		<-begun
		p.passes("the pod has not answered")
		p.gateway.stop()
		p.Unsettled()
	})
}
