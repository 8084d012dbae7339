package publish

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"landbridge.dev/mq/broker"
)

// result is what became of a line.
type result struct {
	Line    int    `json:"line"` // from 1
	ID      string `json:"messageId,omitempty"`
	Status  int    `json:"status"` // as of a single message
	Error   string `json:"error,omitempty"`
	Message string `json:"message,omitempty"`
}

// batch takes a message a line, publishes them without waiting for each other,
// and answers with a result a line, in their order. The status is 200 when all
// lines could be read: each result has its own.
func (s *Server) batch(w http.ResponseWriter, r *http.Request, t target, c Caller) error {
	most, release, err := s.hold(r, c, batchBodies*s.Body)
	if err != nil {
		return err
	}
	defer release()
	input := newLines(w, r.Body, 2*s.Body, s.Reading) // twice: of escapes and the rest
	w.Header().Set("Content-Type", "application/x-ndjson")
	controller := http.NewResponseController(w)
	_ = controller.EnableFullDuplex() // results go out while lines come in, where HTTP/1 can
	b := &batch{Server: s, ctx: r.Context(), caller: c, vhost: t.vhost, lines: semaphore.NewWeighted(most), results: make(chan chan result, window), sent: make(chan sent, window)}
	var working sync.WaitGroup
	working.Go(func() { b.read(input, w) })
	working.Go(b.await)
	defer working.Wait()
	out := bufio.NewWriter(s.listener(w))
	encoder := json.NewEncoder(out)
	listening := true
	for pending := range b.results {
		res := <-pending
		if !listening {
			continue // what is on its way is not stopped
		}
		s.Metrics.request(c.Namespace, resultCode(res))
		if err := encoder.Encode(res); err != nil {
			listening = false
		}
		if len(b.results) == 0 {
			_ = out.Flush()
			_ = controller.Flush()
		}
	}
	_ = out.Flush()
	s.listener(w).wait() // for the end, which may come long after the last result
	return nil
}

// batch is one batch on its way: read starts a message for each line, await
// waits for the broker's words. A caller who is slow to read results holds up
// his lines, and not his namespace's window.
type batch struct {
	*Server
	ctx     context.Context //nolint:containedctx // the request's
	caller  Caller
	vhost   string
	lines   *semaphore.Weighted // bytes, for those that are on their way
	results chan chan result    // in the lines' order, each of one
	sent    chan sent
}

// sent is a message on its way.
type sent struct {
	line int
	id   string
	*broker.Sent
	until time.Time
	end   func(result)
}

// batchBodies is how many of the longest messages a batch has in hand at most:
// its line, which may have twice the bytes, and those on their way.
const batchBodies = 4

func (b *batch) read(input *lines, w http.ResponseWriter) {
	defer close(b.results)
	defer close(b.sent)
	for n := 1; ; n++ {
		raw, err := input.next()
		if err != nil && !errors.Is(err, io.EOF) {
			due(w, time.Now().Add(lingering))
			closing(w)
			last := make(chan result, 1)
			last <- resultOf(n, "", b.unread(err))
			b.results <- last
			return
		}
		if len(raw) == 0 && err != nil {
			return
		}
		if len(raw) > 0 {
			its := make(chan result, 1)
			b.results <- its
			size := int64(len(raw))
			if b.lines.Acquire(b.ctx, size) != nil {
				its <- resultOf(n, "", refuse(http.StatusServiceUnavailable, "unavailable", "the caller has gone; the line was not sent"))
				continue
			}
			b.start(n, raw, func(r result) {
				b.lines.Release(size)
				its <- r
			})
		}
	}
}

// start begins to publish a line; end is told what became of it.
func (b *batch) start(n int, raw []byte, end func(result)) {
	m, err := b.parse(b.ctx, b.caller, b.vhost, raw)
	if err != nil {
		end(resultOf(n, "", err))
		return
	}
	until := time.Now().Add(b.Timeout)
	ctx, cancel := context.WithDeadline(b.ctx, until) // another message with its id may never be confirmed
	defer cancel()
	on, err := b.publisher(b.caller, b.vhost).Start(ctx, m)
	if err != nil { // not sent: once more, with the patience of a single message
		go func() { end(resultOf(n, m.ID, b.send(b.ctx, b.caller, b.vhost, m))) }() // batch waits for it
		return
	}
	b.sent <- sent{n, m.ID, on, until, end}
}

// patience is how long those behind a message wait for it with their places in
// the namespace's window: the queue that it goes to may not answer, and theirs do.
const patience = 20 * time.Millisecond

func (b *batch) await() {
	var late sync.WaitGroup
	defer late.Wait()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for m := range b.sent {
		select {
		case <-m.Done(): // mostly
			b.settle(m)
			continue
		default:
		}
		timer.Reset(patience)
		select {
		case <-m.Done():
			b.settle(m)
		case <-timer.C:
			late.Go(func() { b.settle(m) })
		}
	}
}

func (b *batch) settle(m sent) {
	outcome, err := m.Wait(b.ctx, m.until)
	m.end(resultOf(m.line, m.id, outcomeError(outcome, err, m.id)))
}

func resultCode(r result) string {
	if r.Error == "" {
		return "confirmed"
	}
	return r.Error
}

func resultOf(n int, id string, err error) result {
	res := result{Line: n, ID: id, Status: http.StatusAccepted}
	var r *refusal
	switch {
	case err == nil:
	case errors.As(err, &r):
		res.Status, res.Error, res.Message = r.status, r.code, r.Error()
	default:
		res.Status, res.Error, res.Message = http.StatusInternalServerError, "internal", "something went wrong in the gateway"
	}
	return res
}
