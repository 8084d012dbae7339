package dispatch_test

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"

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

func TestShare(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		rates    dispatch.Rates
		vm       bool
		all      int64 // that there are
		from, to int64 // that pods have of them
	}{
		{"nobody else consumes", rates{known: true}, false, 200, 200, 200},
		{"nobody knows what others take", rates{}, true, 60, 0, 0},
		{"there is nobody who could know", nil, true, 60, 0, 0},
		// What VMs take is told as 40 a second: half of all is as much again.
		{"half", rates{rate: 40, consumers: 1, known: true}, true, 400, 40, 360},
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
			if n := int64(len(p.keys())); n < test.from || n > test.to {
				t.Errorf("pods had %d of %d, want %d to %d", n, test.all, test.from, test.to)
			}
			empty(s)
		})
	}
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
