package kube

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// pollInterval is the pause between two looks at what has no event: the start
// of a program.
const pollInterval = 10 * time.Millisecond

// process is one running program of the control plane, with its output in a
// file. Its methods may be called from several goroutines.
type process struct {
	name string
	log  string // path of its output
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // how it ended; to be read after done
}

// startProcess runs the program at path. Output is appended to NAME.log in dir,
// so that the log of a restarted program tells its whole story.
func startProcess(dir, path string, args ...string) (*process, error) {
	name := filepath.Base(path)
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer log.Close()
	p.cmd = exec.Command(path, args...)
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	return p, nil
}

// kill ends it at once and waits for its end. It may have ended before.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	<-p.done
	return nil
}

// pause stops all of its threads, and returns when the last has stopped: the
// signal alone leaves them running for a moment.
func (p *process) pause() error {
	if err := p.cmd.Process.Signal(unix.SIGSTOP); err != nil {
		return fmt.Errorf("pausing %s: %w", p.name, err)
	}
	for {
		// The kernel says so once for the whole process. WNOWAIT leaves the
		// news there, for a second pause.
		err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, nil, unix.WSTOPPED|unix.WNOWAIT, nil)
		if err == nil {
			return nil
		}
		if !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("pausing %s: %w", p.name, err)
		}
	}
}

// resume lets it go on after pause.
func (p *process) resume() error {
	if err := p.cmd.Process.Signal(unix.SIGCONT); err != nil {
		return fmt.Errorf("resuming %s: %w", p.name, err)
	}
	return nil
}

// failure is err with the end of the program's log, or its exit if it has
// ended, which is why the wait for it failed.
func (p *process) failure(err error) error {
	select {
	case <-p.done:
		err = fmt.Errorf("ended: %w", p.err)
		if p.err == nil {
			err = errors.New("ended")
		}
	default:
	}
	log, readErr := os.ReadFile(p.log)
	if readErr != nil {
		return errors.Join(fmt.Errorf("%s: %w", p.name, err), readErr)
	}
	return fmt.Errorf("%s: %w; the end of its log:\n%s", p.name, err, tail(log))
}

// await calls ready until it says yes, and fails when ctx or the process ends.
func (p *process) await(ctx context.Context, ready func(context.Context) bool) error {
	again := time.NewTicker(pollInterval)
	defer again.Stop()
	for !ready(ctx) {
		select {
		case <-again.C:
		case <-p.done:
			return p.failure(errors.New("not ready"))
		case <-ctx.Done():
			return p.failure(fmt.Errorf("not ready: %w", context.Cause(ctx)))
		}
	}
	return nil
}

// tail is the last lines of a log.
func tail(log []byte) []byte {
	const lines = 30
	log = bytes.TrimSpace(log)
	at := len(log)
	for range lines {
		if at = bytes.LastIndexByte(log[:at], '\n'); at < 0 {
			return log
		}
	}
	return log[at+1:]
}
