package world

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
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
	// speaks is where it has its BGP sessions from.
	speaks netip.Addr
	log    string // path of its output
	cmd    *exec.Cmd
	done   chan struct{} // closed when it has ended
	err    error         // how it ended; to be read after done
}

// StartController starts a landbridge controller in the background, under the
// name that its log file has. Flags come after those that every controller
// gets, and win over them. One that has ended may be started again.
func (w *World) StartController(name string, flags ...string) (*Controller, error) {
	return w.launch(name, w.kubecfg, append([]string{
		"controller", "--lease-namespace", Namespace,
		// A successor need not wait the usual 15 s.
		"--lease-duration", "4s", "--lease-renew", "3s", "--lease-retry", "500ms",
	}, flags...))
}

// Setenv sets an environment variable of the programs of landbridge that are
// started from here on.
func (w *World) Setenv(name, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.env = append(w.env, name+"="+value)
}

// launch starts a program of landbridge that goes on until it is stopped.
func (w *World) launch(name, kubeconfig string, args []string) (*Controller, error) {
	return w.launchBy((*exec.Cmd).Start, name, kubeconfig, args)
}

// launchBy is launch by a way to start a command.
func (w *World) launchBy(start func(*exec.Cmd) error, name, kubeconfig string, args []string) (*Controller, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if old := w.controllers[name]; old != nil && !old.ended() {
		return nil, fmt.Errorf("controller %s runs already", name)
	}
	c := &Controller{name: name, log: w.path(name + ".log"), done: make(chan struct{})}
	c.addr, c.speaks = w.Addresses.controller(len(w.controllers)), w.Addresses.speaker(len(w.controllers))
	if old := w.controllers[name]; old != nil {
		c.addr, c.speaks = old.addr, old.speaks
	}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("controller %s: %w", name, err)
	}
	defer log.Close()
	switch args[0] {
	case "gateway":
		args = append([]string{args[0], "--api-listen", c.API()}, args[1:]...)
	case "controller":
		args = append([]string{args[0], "--bgp-address", c.speaks.String()}, args[1:]...)
	}
	common := []string{args[0], "--config", w.Config(), "--kubeconfig", kubeconfig, "--listen", c.addr, "--reload-interval", "100ms"}
	if args[0] == "agent" {
		common = args[:1]
	}
	c.cmd = exec.Command(w.binary, append(common, args[1:]...)...)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	c.cmd.Env = append(os.Environ(), w.env...)
	if err := start(c.cmd); err != nil {
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

// PID is its process.
func (c *Controller) PID() int { return c.cmd.Process.Pid }

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
	if err := c.End(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
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

// End tells the controller to end (SIGTERM).
func (c *Controller) End() error { return c.signal(syscall.SIGTERM) }

// Kill ends the controller at once (SIGKILL), and waits until it has ended.
func (c *Controller) Kill() {
	_ = c.cmd.Process.Kill() // it may have ended
	<-c.done
}

// Pause stops the controller from doing anything, as a machine that hangs does
// (SIGSTOP); Resume lets it go on.
func (c *Controller) Pause() error { return c.signal(syscall.SIGSTOP) }

// Resume lets a paused controller go on, which knows of no pause.
func (c *Controller) Resume() error { return c.signal(syscall.SIGCONT) }

func (c *Controller) signal(s syscall.Signal) error {
	if err := c.cmd.Process.Signal(s); err != nil {
		return fmt.Errorf("controller %s: %w", c.name, err)
	}
	return nil
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

// AwaitLeading waits until the controller leads, has read all of the device and
// of its own speaker, and nothing that it read waits to be compared.
func (c *Controller) AwaitLeading(ctx context.Context) error {
	return c.await(ctx, "until it leads and the device is read", func(ctx context.Context) bool {
		m := c.metrics(ctx)
		up := 0
		for name, value := range m {
			switch {
			case strings.HasPrefix(name, "landbridge_backend_up{") && value == 1:
				up++
			case strings.HasPrefix(name, "landbridge_backend_up{"), strings.HasPrefix(name, "landbridge_dirty_services{") && value > 0:
				return false
			}
		}
		return m["landbridge_leader"] == 1 && up > 0
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

// API is "host:port" of a gateway's API.
func (c *Controller) API() string { return strings.TrimSuffix(c.addr, "8080") + "8081" }

// Address is "host:port" of the controller's metrics and health.
func (c *Controller) Address() string { return c.addr }
