package histories_test

import (
	"context"
	"errors"
	"flag"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"landbridge.dev/testenv/histories"
)

// Without flags each test plays 300 histories, or as many as fit into ten
// seconds. For a proof:
//
//	go test ./testenv/histories -run Simulated -timeout 3h -histories.for 2h -rapid.checks 10000
//
// What breaks a rule is shrunk and printed, with a file or a seed to play it
// again: -rapid.failfile, -rapid.seed.
var (
	long  = flag.Duration("histories.for", short, "how long each test goes on drawing histories")
	steps = flag.Int("histories.steps", 25, "how many steps a history has, more or less")
)

const short = 10 * time.Second

// TestMain draws the same histories each time, unless a seed is given or the
// run is a long one: a change is judged by what it changed, and what a new seed
// finds is found in a long run.
func TestMain(m *testing.M) {
	flag.Parse()
	usual := map[string]string{"rapid.seed": "20261120", "rapid.checks": "300"}
	flag.Visit(func(f *flag.Flag) { delete(usual, f.Name) })
	if *long > short {
		delete(usual, "rapid.seed")
	}
	for name, value := range usual {
		if err := flag.Set(name, value); err != nil {
			panic(err)
		}
	}
	m.Run()
}

func TestMemory(t *testing.T) {
	t.Parallel()
	proof(t, histories.Memory)
}

func TestSimulated(t *testing.T) {
	t.Parallel()
	proof(t, histories.Simulated)
}

func TestPair(t *testing.T) {
	t.Parallel()
	proof(t, histories.Pair)
}

func proof(t *testing.T, on histories.Device) {
	began := time.Now()
	var sum histories.Figures
	played, broken := 0, "" // the rule that is being shrunk
	rapid.Check(t, func(rt *rapid.T) {
		if time.Since(began) > *long && broken == "" {
			return
		}
		h := histories.Histories(*steps, on).Draw(rt, "history")
		figures, v := playOne(t, h, on)
		if v != nil && (broken == "" || v.Kind == broken) {
			if broken == "" { // of a race the shrunk history may not tell
				t.Logf("%s\n\nfirst seen in the history:\n%s\n%#v\nwhich went:\n%s\n\nshrinking it", v.Rule, h, h, v.Log)
			}
			broken = v.Kind
			rt.Logf("%s\n\nthe history:\n%s\n%#v\nhow it went:\n%s", v.Rule, h, h, v.Log)
			rt.Fatalf("a rule is broken: %s", v.Kind)
		}
		played++
		sum.Writes += figures.Writes
		sum.Took += figures.Took
	})
	t.Logf("%d histories of %s in the world's time, %d changes, in %s", played, sum.Took.Round(time.Minute), sum.Writes, time.Since(began).Round(time.Millisecond))
}

// playOne plays one history in a bubble of its own.
func playOne(t *testing.T, h histories.History, on histories.Device) (figures histories.Figures, v *histories.Violation) {
	var err error
	synctest.Test(t, func(*testing.T) {
		figures, err = histories.Play(context.Background(), h, on)
	})
	if err != nil && !errors.As(err, &v) {
		t.Fatalf("setting up: %v", err)
	}
	return figures, v
}
