// Package app is the application that runs in the pods of the test environment,
// simulated ones and real ones: it says who it is.
package app

import (
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// App answers as one pod. Every request is answered by the line
//
//	pod=NAME ip=ADDRESS-ASKED client=ADDRESS:PORT
//
// and /healthz by 200 or 503, as Healthy says. /seen has a line for each
// Idempotency-Key that came, with how often; /refuse finds what it gets bad. It
// is safe for concurrent use.
type App struct {
	name    string
	healthy func() bool
	mux     *http.ServeMux

	mu   sync.Mutex
	seen map[string]int // by Idempotency-Key
}

// New is the application of a pod of that name.
func New(name string, healthy func() bool) *App {
	a := &App{name: name, healthy: healthy, mux: http.NewServeMux(), seen: map[string]int{}}
	a.mux.HandleFunc("/", a.hello)
	a.mux.HandleFunc("/seen", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, a.keys()) })
	a.mux.HandleFunc("/refuse", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "refused", http.StatusBadRequest) })
	a.mux.HandleFunc("/healthz", a.health)
	return a
}

// ServeHTTP answers one request.
func (a *App) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.mux.ServeHTTP(w, r) }

func (a *App) hello(w http.ResponseWriter, r *http.Request) {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		a.see(key)
	}
	_, _ = io.WriteString(w, a.Answer(local, r.RemoteAddr))
}

func (a *App) health(w http.ResponseWriter, _ *http.Request) {
	if !a.healthy() {
		http.Error(w, "not ready", http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

func (a *App) see(key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.seen[key]++
}

func (a *App) keys() string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var b strings.Builder
	for _, key := range slices.Sorted(maps.Keys(a.seen)) {
		fmt.Fprintln(&b, key, a.seen[key])
	}
	return b.String()
}

// Answer is what a client is told who asks at a local address.
func (a *App) Answer(local net.Addr, client string) string {
	host, _, err := net.SplitHostPort(local.String())
	if err != nil {
		host = local.String()
	}
	return fmt.Sprintf("pod=%s ip=%s client=%s\n", a.name, host, client)
}
