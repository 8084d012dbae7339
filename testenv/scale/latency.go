package scale

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"landbridge.dev/testenv/bigip"
)

// Spread is how a series of times lies.
type Spread struct{ P50, P99 time.Duration }

func spread(times []time.Duration) Spread {
	slices.Sort(times)
	at := func(percent int) time.Duration { return times[min(len(times)-1, len(times)*percent/100)] }
	return Spread{P50: at(50), P99: at(99)}
}

// Latency is how soon the write of an EndpointSlice was seen, from the moment
// that it was sent to the API server.
type Latency struct {
	Watch  Spread // by a bare watch
	Device Spread // by the device, as a call
	Calls  int    // that the device got for all flips
}

// flipTimeout bounds one flip.
const flipTimeout = 30 * time.Second

// flips turns endpoints unready and ready again, one after the other, each of
// another Service.
func (s *scene) flips(ctx context.Context) (Latency, error) {
	w, err := watchSlices(ctx, s)
	if err != nil {
		return Latency{}, err
	}
	defer w.stop()
	var seen, called []time.Duration
	before := s.world.Device.Writes()
	for n := range s.Flips {
		// A stride that is prime to most numbers takes them in no order.
		watched, arrived, err := s.flip(ctx, w, n*7919%s.Services)
		if err != nil {
			return Latency{}, fmt.Errorf("flip %d: %w", n, err)
		}
		seen, called = append(seen, watched), append(called, arrived)
	}
	return Latency{Watch: spread(seen), Device: spread(called), Calls: s.world.Device.Writes() - before}, nil
}

// flip turns a Service's first endpoint over, and says after which time the
// bare watch and the device knew.
func (s *scene) flip(ctx context.Context, w *watcher, n int) (watched, arrived time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, flipTimeout)
	defer cancel()
	ready := !*s.slices[n].Endpoints[0].Conditions.Ready
	s.slices[n].Endpoints[0].Conditions.Ready = &ready
	began := time.Now()
	written, err := s.client.DiscoveryV1().EndpointSlices(namespace).Update(ctx, s.slices[n], metav1.UpdateOptions{})
	if err != nil {
		return 0, 0, err
	}
	s.slices[n] = written
	at, err := w.await(ctx, written.Name, written.ResourceVersion)
	if err != nil {
		return 0, 0, fmt.Errorf("the bare watch: %w", err)
	}
	var call bigip.Request
	err = s.world.Device.WaitRequest(ctx, func(r bigip.Request) bool {
		if r.Method == http.MethodPatch && !r.Time.Before(began) && strings.Contains(r.Path, name(n)) {
			call = r
			return true
		}
		return false
	})
	if err != nil {
		return 0, 0, fmt.Errorf("no call for %s at the device: %w", name(n), err)
	}
	return at.Sub(began), call.Time.Sub(began), nil
}

// watcher is a watch of all EndpointSlices that does nothing with them.
type watcher struct {
	stream watch.Interface
	done   chan struct{}

	mu   sync.Mutex
	seen map[string]time.Time // by name and resource version
	news chan struct{}        // closed at the next event
}

func watchSlices(ctx context.Context, s *scene) (*watcher, error) {
	// From now on, as a client that has just listed.
	now, err := s.client.DiscoveryV1().EndpointSlices(namespace).List(ctx, metav1.ListOptions{Limit: 1})
	if err != nil {
		return nil, err
	}
	stream, err := s.client.DiscoveryV1().EndpointSlices("").Watch(ctx, metav1.ListOptions{ResourceVersion: now.ResourceVersion})
	if err != nil {
		return nil, err
	}
	w := &watcher{stream: stream, done: make(chan struct{}), seen: map[string]time.Time{}, news: make(chan struct{})}
	go w.run()
	return w, nil
}

func (w *watcher) run() {
	defer close(w.done)
	for e := range w.stream.ResultChan() {
		slice, ok := e.Object.(*discoveryv1.EndpointSlice)
		if !ok {
			continue
		}
		w.mu.Lock()
		w.seen[slice.Name+" "+slice.ResourceVersion] = time.Now()
		close(w.news)
		w.news = make(chan struct{})
		w.mu.Unlock()
	}
}

func (w *watcher) stop() {
	w.stream.Stop()
	<-w.done
}

// await waits until a version of a slice was seen, and says when.
func (w *watcher) await(ctx context.Context, name, version string) (time.Time, error) {
	for {
		w.mu.Lock()
		at, ok := w.seen[name+" "+version]
		news := w.news
		w.mu.Unlock()
		if ok {
			return at, nil
		}
		select {
		case <-news:
		case <-w.done:
			return time.Time{}, errors.New("it has ended")
		case <-ctx.Done():
			return time.Time{}, context.Cause(ctx)
		}
	}
}
