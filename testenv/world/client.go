package world

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// answerTimeout is how long a client waits for an answer.
const answerTimeout = 5 * time.Second

// Tally counts answers by the pod that gave them, and failures by their kind:
// "refused", "reset", "EOF", "timeout".
type Tally struct {
	Pods     map[string]int
	Failures map[string]int
}

// Dial connects as net.Dialer's DialContext does, from wherever it is.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

func newTally() Tally { return Tally{Pods: map[string]int{}, Failures: map[string]int{}} }

// String writes a line for each pod, then one for each kind of failure:
//
//	web-1 10
//	failed: refused 2
func (t Tally) String() string {
	var b strings.Builder
	for _, pod := range slices.Sorted(maps.Keys(t.Pods)) {
		fmt.Fprintf(&b, "%s %d\n", pod, t.Pods[pod])
	}
	for _, kind := range slices.Sorted(maps.Keys(t.Failures)) {
		fmt.Fprintf(&b, "failed: %s %d\n", kind, t.Failures[kind])
	}
	return b.String()
}

// Failed is the number of failures.
func (t Tally) Failed() int {
	n := 0
	for _, count := range t.Failures {
		n += count
	}
	return n
}

// Answered is the number of answers.
func (t Tally) Answered() int {
	n := 0
	for _, count := range t.Pods {
		n += count
	}
	return n
}

func (t Tally) add(pod string, err error) {
	if err != nil {
		t.Failures[failure(err)]++
		return
	}
	t.Pods[pod]++
}

// Get asks a URL n times, over a connection of its own each time.
func Get(ctx context.Context, url string, n int) Tally { return GetFrom(ctx, nil, url, n) }

// GetFrom is Get by a client that is elsewhere; nil is here.
func GetFrom(ctx context.Context, from Dial, url string, n int) Tally {
	t := newTally()
	for range n {
		t.add(get(ctx, from, url))
	}
	return t
}

func get(ctx context.Context, from Dial, url string) (pod string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	status, body, err := fetchFrom(ctx, from, url)
	if err != nil {
		return "", err
	}
	return podOf(status, body)
}

// podOf reads the name out of a pod's answer.
func podOf(status int, body string) (string, error) {
	name, found := strings.CutPrefix(body, "pod=")
	if status != http.StatusOK || !found {
		return "", fmt.Errorf("answer %d: %s", status, strings.TrimSpace(body))
	}
	return strings.Fields(name)[0], nil
}

// AskUDP sends n datagrams to an address, each from a socket of its own.
func AskUDP(ctx context.Context, address string, n int) Tally {
	t := newTally()
	for range n {
		t.add(askUDP(ctx, address))
	}
	return t
}

func askUDP(ctx context.Context, address string) (pod string, err error) {
	c, err := (&net.Dialer{}).DialContext(ctx, "udp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if _, err := c.Write([]byte("who are you?")); err != nil {
		return "", err
	}
	if err := c.SetReadDeadline(time.Now().Add(answerTimeout)); err != nil {
		return "", err
	}
	answer := make([]byte, 1500)
	n, err := c.Read(answer)
	if err != nil {
		return "", err
	}
	return podOf(http.StatusOK, string(answer[:n]))
}

// failure names the kind of a network error: its last word.
func failure(err error) string {
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		return "timeout"
	}
	words := strings.Fields(err.Error())
	return words[len(words)-1]
}

// Conn is one connection that is kept open.
type Conn struct {
	url  string
	http *http.Transport
}

// Connect opens a connection to a URL's server and asks it once.
func Connect(ctx context.Context, url string) (_ *Conn, pod string, err error) {
	var once sync.Once
	c := &Conn{url: url}
	c.http = &http.Transport{
		MaxConnsPerHost: 1,
		DialContext: func(ctx context.Context, network, address string) (conn net.Conn, err error) {
			err = errors.New("the connection is lost")
			once.Do(func() { conn, err = (&net.Dialer{}).DialContext(ctx, network, address) })
			return conn, err
		},
	}
	pod, err = c.Ask(ctx)
	return c, pod, err
}

// Ask asks once more over the same connection. A connection that was cut in
// between is an error.
func (c *Conn) Ask(ctx context.Context) (pod string, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.url, nil)
	if err != nil {
		return "", err
	}
	answer, err := c.http.RoundTrip(r)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return "", err
	}
	return podOf(answer.StatusCode, string(body))
}

// Close closes the connection.
func (c *Conn) Close() { c.http.CloseIdleConnections() }

// Load is a client that asks again and again in the background.
type Load struct {
	cancel context.CancelFunc
	done   chan struct{}
	tally  Tally // to be read after done
}

// loadInterval is the time between two requests of a Load.
const loadInterval = 5 * time.Millisecond

// StartLoad asks a URL every 5 ms, over a connection of its own each time,
// until Stop.
func StartLoad(url string) *Load { return StartLoadFrom(nil, url) }

// StartLoadFrom is StartLoad by a client that is elsewhere; nil is here.
func StartLoadFrom(from Dial, url string) *Load {
	ctx, cancel := context.WithCancel(context.Background())
	l := &Load{cancel: cancel, done: make(chan struct{}), tally: newTally()}
	go func() {
		defer close(l.done)
		tick := time.NewTicker(loadInterval)
		defer tick.Stop()
		for ctx.Err() == nil {
			l.tally.add(get(context.WithoutCancel(ctx), from, url))
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
	return l
}

// Stop ends the load, after the answer that it waits for, and tells what it
// got.
func (l *Load) Stop() Tally {
	l.cancel()
	<-l.done
	return l.tally
}
