package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// pollInterval is the pause between two looks at what has no event.
const pollInterval = 20 * time.Millisecond

// Controller is a running landbridge controller.
type Controller struct {
	name string
	addr string // of its metrics and health
	log  string // path of its output
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; to be read after done
}

// StartController starts a landbridge controller in the background, under the
// name that its log file has. Flags come after those that every controller
// gets, and win over them. One that has ended may be started again.
func (w *World) StartController(name string, flags ...string) (*Controller, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.controllers[name]; old != nil && !old.ended() {
		return nil, fmt.Errorf("controller %s runs already", name)
	}
	c := &Controller{name: name, log: w.path(name + ".log"), done: make(chan struct{})}
	c.addr = w.Addresses.controller(len(w.controllers))
	if old := w.controllers[name]; old != nil {
		c.addr = old.addr
	}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("controller %s: %w", name, err)
	}
	defer log.Close()
	c.cmd = exec.Command(w.binary, append([]string{
		"controller", "--config", w.Config(), "--kubeconfig", w.kubecfg,
		"--listen", c.addr, "--reload-interval", "100ms", "--lease-namespace", Namespace,
		// A successor need not wait the usual 15 s.
		"--lease-duration", "2s", "--lease-renew", "1500ms", "--lease-retry", "500ms",
	}, flags...)...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("controller %s: %w", name, err)
	}
	go func() {
		defer close(c.done)
		c.err = c.cmd.Wait()
	}()
	w.controllers[name] = c
	return c, nil
}

// Controller finds a controller that was started, running or not.
func (w *World) Controller(name string) (*Controller, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c := w.controllers[name]; c != nil {
		return c, nil
	}
	return nil, fmt.Errorf("controller %s was not started", name)
}

// Controllers are all that were started, by name.
func (w *World) Controllers() []*Controller {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*Controller
	for _, name := range slices.Sorted(maps.Keys(w.controllers)) {
		all = append(all, w.controllers[name])
	}
	return all
}

func (c *Controller) ended() bool {
	select {
	case <-c.done:
		return true
	default:
		return false
	}
}

// Stop tells the controller to end, and waits until it has. An exit code other
// than 0 is an error.
func (c *Controller) Stop(ctx context.Context) error {
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("controller %s: %w", c.name, err)
	}
	select {
	case <-c.done:
	case <-ctx.Done():
		return c.failure(fmt.Errorf("waiting for its end: %w", ctx.Err()))
	}
	if c.err != nil {
		return c.failure(c.err)
	}
	return nil
}

// Kill ends the controller at once (SIGKILL), and waits until it has ended.
func (c *Controller) Kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.done
}

// Log is all that the controller has written, over all its lives.
func (c *Controller) Log() string {
	log, err := os.ReadFile(c.log)
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// tailLines are how many lines of a log an error shows.
const tailLines = 15

// failure is err with the end of the controller's log.
func (c *Controller) failure(err error) error {
	lines := strings.Split(strings.TrimSpace(c.Log()), "\n")
	return fmt.Errorf("controller %s: %w; the end of its log:\n%s", c.name, err,
		strings.Join(lines[max(0, len(lines)-tailLines):], "\n"))
}

// AwaitStandby waits until the controller is ready: it has read the cluster.
func (c *Controller) AwaitStandby(ctx context.Context) error {
	return c.await(ctx, "until it is ready", func(ctx context.Context) bool {
		status, _, err := fetch(ctx, "http://"+c.addr+"/readyz")
		return err == nil && status == 200
	})
}

// AwaitLeading waits until the controller leads, has read all of the device,
// and nothing that it read waits to be compared.
func (c *Controller) AwaitLeading(ctx context.Context) error {
	return c.await(ctx, "until it leads and the device is read", func(ctx context.Context) bool {
		m := c.metrics(ctx)
		return m["landbridge_leader"] == 1 && m[`landbridge_backend_up{backend="bigip/dc1"}`] == 1 &&
			m[`landbridge_dirty_services{backend="bigip/dc1"}`] == 0
	})
}

// Leads says whether the controller is the leader.
func (c *Controller) Leads(ctx context.Context) bool { return c.metrics(ctx)["landbridge_leader"] == 1 }

// ending is how the controller ended.
func (c *Controller) ending() error {
	if c.err == nil {
		return errors.New("exit status 0")
	}
	return c.err
}

// await polls until done, or fails with the end of the log.
func (c *Controller) await(ctx context.Context, what string, done func(context.Context) bool) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for !done(ctx) {
		select {
		case <-tick.C:
		case <-c.done:
			return c.failure(fmt.Errorf("waiting %s: it ended: %w", what, c.ending()))
		case <-ctx.Done():
			return c.failure(fmt.Errorf("waiting %s: %w", what, ctx.Err()))
		}
	}
	return nil
}

// AwaitEnd waits until the controller has ended by itself.
func (c *Controller) AwaitEnd(ctx context.Context) error {
	select {
	case <-c.done:
		return nil
	case <-ctx.Done():
		return c.failure(fmt.Errorf("waiting for its end: %w", ctx.Err()))
	}
}

// Address is "host:port" of the controller's metrics and health.
func (c *Controller) Address() string { return c.addr }
