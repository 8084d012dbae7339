package dispatch_test

import (
	"fmt"
	"math"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/mq/dispatch"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// vm is a service on a VM, which consumes the queue itself.
type vm struct{ had atomic.Int64 }

// newVM starts one that takes pause for each message.
func newVM(s *scene.Scene, pause time.Duration) *vm {
	s.TB.Helper()
	ch, err := s.Dial().Channel()
	s.Must(err)
	s.Must(ch.Qos(4, 0, false))
	deliveries, err := ch.Consume("orders.work", "", false, false, false, false, nil)
	s.Must(err)
	v := &vm{}
	go func() { // ends with its connection
		for d := range deliveries {
			if pause > 0 {
				<-time.After(pause)
			}
			if d.Ack(false) == nil {
				v.had.Add(1)
			}
		}
	}()
	return v
}

// rates are told instead of measured.
type rates struct {
	rate      float64
	consumers int
	known     bool
}

func (r rates) Taken(state.Queue) (theirs, ours float64, consumers, gateways int, known bool) {
	return r.rate, 0, r.consumers, 1, r.known
}

// Waits is not told.
func (r rates) Waits(state.Queue) bool { return false }

func TestShareWithoutRates(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name      string
		rates     dispatch.Rates
		vm        bool
		all, pods int64 // messages
	}{
		{"nobody else consumes", rates{known: true}, false, 200, 200},
		{"nobody knows what others take", rates{}, true, 60, 0},
		{"there is nobody who could know", nil, true, 60, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := scene.New(t, node)
			s.Queue("orders.work")
			p := newPod(t, nil)
			v := &vm{}
			if test.vm {
				v = newVM(s, 20*time.Millisecond)
			}
			c := consumer(s, p)
			c.PodShare = 50
			start(s, func(o *dispatch.Options) { o.Rates = test.rates }).Set(ref, c)
			s.Publish("orders.work", messages(int(test.all))...)
			s.Within(time.Minute, "all have their effect", func() bool { return int64(len(p.keys()))+v.had.Load() >= test.all })
			if n := int64(len(p.keys())); n != test.pods {
				t.Errorf("pods had %d of %d, want %d", n, test.all, test.pods)
			}
			empty(s)
		})
	}
}

// measured tells what was taken over a second, by looks that are half a second
// apart, and the last of which does not count yet: as the broker's counts are, ten
// times as fast.
type measured struct {
	pod *pod
	vm  *vm

	mu    sync.Mutex
	looks []look
}

// look is what was taken until a time.
type look struct {
	at         time.Time
	vms, ofPod int64
}

// Taken tells what was taken.
func (m *measured) Taken(state.Queue) (theirs, ours float64, consumers, gateways int, known bool) {
	const apart = 500 * time.Millisecond
	m.mu.Lock()
	defer m.mu.Unlock()
	if n := len(m.looks); n == 0 || time.Since(m.looks[n-1].at) >= apart {
		m.looks = append(m.looks, look{time.Now(), m.vm.had.Load(), m.pod.count()})
	}
	n := len(m.looks) - 2
	if n < 2 {
		return 0, 0, 1, 1, true
	}
	from, to := m.looks[n-2], m.looks[n]
	seconds := to.at.Sub(from.at).Seconds()
	return float64(to.vms-from.vms) / seconds, float64(to.ofPod-from.ofPod) / seconds, 1, 1, true
}

// Waits is not told.
func (m *measured) Waits(state.Queue) bool { return false }

// A share is what it says, where VMs have more than they can do, and where they
// have at once what the pods leave.
func TestShare(t *testing.T) {
	t.Parallel()
	const first, all = 250, 550 // messages of the VM, or half of all
	for _, test := range []struct {
		share, within int64 // per cent
		full          bool
	}{{25, 6, true}, {50, 8, true}, {75, 8, true}, {25, 6, false}, {50, 8, false}, {75, 8, false}} {
		t.Run(fmt.Sprintf("%d, the queue is full: %t", test.share, test.full), func(t *testing.T) {
			t.Parallel()
			s := scene.New(t, node)
			s.Queue("orders.work")
			var v *vm
			if test.full {
				v = newVM(s, 20*time.Millisecond)
				s.Publish("orders.work", messages(all*125/int(100-test.share))...)
			} else {
				v = newVM(s, 0)
				trickle(s, 10*time.Millisecond)
			}
			p := newPod(t, nil)
			c := consumer(s, p)
			c.PodShare = int(test.share)
			start(s, func(o *dispatch.Options) { o.Rates = &measured{pod: p, vm: v} }).Set(ref, c)
			taken := func(n int64) (pods, vms int64) {
				s.Within(2*time.Minute, fmt.Sprintf("%d are taken", n), func() bool {
					pods, vms = p.count(), v.had.Load()
					if test.full {
						return vms >= n
					}
					return pods+vms >= 2*n
				})
				return pods, vms
			}
			podsBefore, vmsBefore := taken(first)
			pods, vms := taken(all)
			pods, vms = pods-podsBefore, vms-vmsBefore
			got := 100 * float64(pods) / float64(pods+vms)
			if math.Abs(got-float64(test.share)) > float64(test.within) {
				t.Errorf("pods had %d, and the VM %d: %.1f per cent, want %d", pods, vms, got, test.share)
			}
		})
	}
}

// trickle publishes a message now and then, until the test ends.
func trickle(s *scene.Scene, pause time.Duration) {
	s.TB.Helper()
	ch, err := s.Dial().Channel()
	s.Must(err)
	go func() { // ends with its connection
		tick := time.NewTicker(pause)
		defer tick.Stop()
		for range tick.C {
			if ch.Publish("", "orders.work", false, false, amqp.Publishing{Body: []byte("x")}) != nil {
				return
			}
		}
	}()
}

// The side with the higher priority has all that it can take.
func TestPriority(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		priority int
		pods     int
	}{"pods are preferred": {10, 30}, "VMs are preferred": {-10, 0}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scene.New(t, node)
			s.Queue("orders.work")
			p := newPod(t, nil)
			v := newVM(s, 0)
			c := consumer(s, p)
			c.Priority = test.priority
			start(s).Set(ref, c)
			s.Eventually("both consume", func() bool {
				all, err := node.Queues(t.Context(), s.Vhost)
				for _, q := range all {
					if q.Name == "orders.work" {
						return err == nil && q.Consumers == 2
					}
				}
				return false
			})
			for i, m := range messages(30) {
				s.Publish("orders.work", m)
				s.Eventually("it has its effect", func() bool { return len(p.keys())+int(v.had.Load()) == i+1 })
			}
			if n := len(p.keys()); n != test.pods {
				t.Errorf("pods had %d, want %d", n, test.pods)
			}
		})
	}
}

// A share keeps to the limit, also with what was delivered when it was used up;
// and when it becomes nothing, what no pod has goes back.
func TestShareWithinLimit(t *testing.T) {
	t.Parallel()
	s := scene.New(t, node)
	s.Queue("orders.work")
	var now, had atomic.Int32
	var together atomic.Bool
	hold := make(chan struct{})
	p := newPod(t, func(http.ResponseWriter, *http.Request, int) {
		if now.Add(1) > 1 {
			together.Store(true)
		}
		defer now.Add(-1)
		if had.Add(1) > 30 {
			<-hold
		}
		<-time.After(20 * time.Millisecond)
	})
	c := consumer(s, p)
	c.PodShare, c.Concurrency, c.Timeout = 50, 1, time.Minute
	s.Publish("orders.work", messages(40)...)
	g := start(s, func(o *dispatch.Options) { o.Rates = rates{rate: 20, consumers: 1, known: true} })
	g.Set(ref, c)
	s.Within(time.Minute, "a pod holds one, and others wait here", func() bool {
		_, unacked := s.Count("orders.work")
		return had.Load() == 31 && unacked > 1
	})
	nothing := *c
	nothing.PodShare = 0
	g.Set(ref, &nothing)
	s.Eventually("what no pod has is back", func() bool { ready, unacked := s.Count("orders.work"); return ready == 9 && unacked == 1 })
	close(hold)
	s.Eventually("the pod's has its effect", func() bool { ready, unacked := s.Count("orders.work"); return ready == 9 && unacked == 0 })
	if together.Load() {
		t.Error("the pod had two at a time, and may have one")
	}
}
