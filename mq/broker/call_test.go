package broker_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"landbridge.dev/mq/broker"
	"landbridge.dev/testenv/peer"
)

// ask asks a question, and gives the error that it ends with.
func ask(t *testing.T, c *broker.Caller, key string, patience time.Duration) chan error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	ended := make(chan error, 1)
	go func() {
		_, _, err := c.Call(ctx, &broker.Message{Key: key, ID: key})
		ended <- err
	}()
	return ended
}

// A question that the broker never confirms, as for a queue without a leader,
// costs no other: the answers of all come on one channel, which stays.
func TestQuestionsBesideOneThatIsNeverConfirmed(t *testing.T) {
	t.Parallel()
	peer := peer.New(t)
	c := broker.NewCaller(connect(t, peer), 16, 0, nil)
	c.SetOverdue(10 * time.Millisecond)
	t.Cleanup(c.Close)
	waits := ask(t, c, "waits", time.Minute)
	peer.Published().Ack(false)
	stuck := ask(t, c, "stuck", 50*time.Millisecond)
	peer.Published()
	if err := <-stuck; !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a confirm: %v", err)
	}
	// Longer than its channel would take to be given up and closed.
	later := ask(t, c, "later", 500*time.Millisecond)
	peer.Published().Ack(false)
	select {
	case err := <-waits:
		t.Errorf("a question that another was stuck beside: %v", err)
	case err := <-later:
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a question after it: %v", err)
		}
	}
}

// Questions that the broker does not confirm are counted as long as it does not:
// of a queue without a leader no more are asked than may wait.
func TestTooManyQuestionsUnconfirmed(t *testing.T) {
	t.Parallel()
	const most = 10
	peer := peer.New(t)
	c := broker.NewCaller(connect(t, peer), most, most, nil)
	t.Cleanup(c.Close)
	var confirm func(multiple bool)
	for i := range most {
		stuck := ask(t, c, fmt.Sprint("stuck ", i), 50*time.Millisecond)
		confirm = peer.Published().Ack
		if err := <-stuck; !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("without a confirm: %v", err)
		}
	}
	if err := <-ask(t, c, "one too many", time.Minute); !errors.Is(err, broker.ErrBusy) {
		t.Errorf("one too many: %v", err)
	}
	confirm(true)
	until(t, "questions are asked again", func() bool {
		later := ask(t, c, rand.Text(), 50*time.Millisecond)
		select {
		case err := <-later:
			return !errors.Is(err, broker.ErrBusy)
		case m := <-peer.Publishes():
			m.Ack(false)
			return true
		}
	})
}

// No more questions wait than may, however many come at once.
func TestTooManyQuestions(t *testing.T) {
	t.Parallel()
	const most, more = 10, 90
	peer := peer.New(t)
	c := broker.NewCaller(connect(t, peer), most, most, nil)
	t.Cleanup(c.Close)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, most+more)
	for range most + more {
		go func() {
			_, _, err := c.Call(ctx, &broker.Message{Key: "q"})
			ended <- err
		}()
	}
	for range more {
		if err := <-ended; !errors.Is(err, broker.ErrBusy) {
			t.Errorf("one too many: %v", err)
		}
	}
	cancel()
	for range most {
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("one that waits: %v", err)
		}
	}
}
