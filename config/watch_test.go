package config_test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"landbridge.dev/config"
)

// watching is a Watch of a file, and what it tells.
type watching struct {
	t       *testing.T
	path    string
	changed chan *config.Config
	failed  chan error
}

// watch begins with a process that runs on before, while the file says text.
func watch(t *testing.T, before *config.Config, text string) *watching {
	t.Helper()
	w := &watching{
		t: t, path: filepath.Join(t.TempDir(), "landbridge.yaml"),
		changed: make(chan *config.Config), failed: make(chan error),
	}
	write(t, w.path, text)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- config.Watch(ctx, w.path, before, time.Millisecond,
			func(c *config.Config) {
				select {
				case w.changed <- c:
				case <-ctx.Done():
				}
			},
			func(err error) {
				select {
				case w.failed <- err:
				case <-ctx.Done():
				}
			})
	}()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Watch: %v", err)
		}
	})
	return w
}

func (w *watching) takes(paused bool) {
	w.t.Helper()
	select {
	case c := <-w.changed:
		if c.Paused != paused {
			w.t.Fatalf("took up paused: %t", c.Paused)
		}
	case err := <-w.failed:
		w.t.Fatalf("refused: %v", err)
	case <-time.After(20 * time.Second):
		w.t.Fatal("nothing was told")
	}
}

func (w *watching) refuses(message string, restart bool) {
	w.t.Helper()
	select {
	case c := <-w.changed:
		w.t.Fatalf("took up %+v", c)
	case err := <-w.failed:
		if !strings.Contains(err.Error(), message) || errors.Is(err, config.ErrRestart) != restart {
			w.t.Fatalf("refused: %v; to be restarted: %t", err, errors.Is(err, config.ErrRestart))
		}
	case <-time.After(20 * time.Second):
		w.t.Fatal("nothing was told")
	}
}

func TestWatch(t *testing.T) {
	t.Parallel()
	w := watch(t, parse(t, minimal), minimal)
	// That which runs already is not told; the next event is the change.
	write(t, w.path, minimal+"paused: true\n")
	w.takes(true)
	write(t, w.path, minimal+"paus: true\n")
	w.refuses(`unknown field "paus"`, false)
	// Told once: the next event is the next change.
	write(t, w.path, minimal+"cluster: prod-2\n")
	w.refuses(`key "cluster" already set`, false)
	write(t, w.path, strings.Replace(minimal, "prod-1", "prod-2", 1))
	w.refuses("cluster: has changed, which takes a restart in this version", true)
	// Back to what runs: taken up, so that nobody believes it to be bad still.
	write(t, w.path, minimal+"paused: true\n")
	w.takes(true)
	write(t, w.path, minimal)
	w.takes(false)
}

// What was written between the first reading and the watch is not lost.
func TestWatchSeesAFileThatIsNewerThanTheProcess(t *testing.T) {
	t.Parallel()
	watch(t, parse(t, minimal), minimal+"paused: true\n").takes(true)
	watch(t, parse(t, minimal), minimal+"paus: true\n").refuses("unknown field", false)
}

func TestReplaceable(t *testing.T) {
	t.Parallel()
	pools := "addressPools:\n  - {name: public, ranges: [203.0.113.1]}\n"
	for _, test := range []struct {
		name, before, after string
		restart             []string
	}{
		{name: "nothing", before: minimal + device, after: minimal + device},
		{name: "what is read anew", before: minimal + device, after: minimal + device + pools + "paused: true\nmode: plan\ntenants:\n  - {namespaces: [shop]}\n"},
		{name: "a device", before: minimal + device, after: minimal + device + "    maxConcurrentCalls: 2\n", restart: []string{"bigip"}},
		{name: "a default that is written out", before: minimal + device, after: minimal + device + "    maxConcurrentCalls: 4\n"},
		{name: "the brakes", before: minimal, after: minimal + "brakes: {minDelete: 3}\n", restart: []string{"brakes"}},
		{
			name: "several", before: minimal, after: strings.Replace(minimal, "prod-1", "x", 1) + "namespaces: [shop]\nformerUIDs: [0123abcd]\n",
			restart: []string{"cluster", "formerUIDs", "namespaces"},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := parse(t, test.before).Replaceable(parse(t, test.after))
			if (err == nil) != (len(test.restart) == 0) || err != nil && !errors.Is(err, config.ErrRestart) {
				t.Fatalf("got %v", err)
			}
			for _, part := range test.restart {
				if !strings.Contains(err.Error(), part+": has changed") {
					t.Errorf("%q does not name %s", err, part)
				}
			}
		})
	}
}
