package netns_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/testenv/netns"
)

// The tests look from the outside at programs that go inside. The programs
// are this test binary, which plays the one that programEnv names.
const (
	programEnv = "NETNS_TEST_PROGRAM"
	socketEnv  = "NETNS_TEST_SOCKET"
)

func TestMain(m *testing.M) {
	if name := os.Getenv(programEnv); name != "" {
		os.Exit(play(name))
	}
	os.Exit(m.Run())
}

// play enters the namespaces and runs the named program there.
func play(name string) int {
	o := netns.Options{Started: func(pid int) { fmt.Println("pid", pid) }}
	if name == "unprepared" {
		o.Prepare = func(context.Context) error { return errors.New("no network today") }
	}
	code, err := netns.Enter(context.Background(), o)
	if errors.Is(err, netns.ErrInside) {
		return programs()[name]()
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return code
}

func programs() map[string]func() int {
	return map[string]func() int{
		"exit":     func() int { return 7 },
		"die":      func() int { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); return 0 },
		"network":  tryNetwork,
		"orphans":  leaveOrphans,
		"signal":   awaitSignal,
		"children": startChildren,
		"serve":    serveForwarded,
	}
}

func TestExitCode(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{"exit": 7, "die": 128 + 9, "unprepared": 1, "network": 0, "orphans": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := launch(t, name, nil)
			if got := p.wait(t); got != want {
				t.Errorf("exit code = %d, want %d; output:\n%s", got, want, p.rest(t))
			}
		})
	}
}

func TestUnprivileged(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "netns-unprivileged")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	exe := filepath.Join(dir, "netns.test")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// Not written by this process: what another test forks meanwhile would
	// hold the file open, and the kernel runs no such file (ETXTBSY).
	if out, err := exec.CommandContext(t.Context(), "cp", self, exe).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	p := launch(t, "network", func(cmd *exec.Cmd) {
		cmd.Path, cmd.Dir = exe, dir
		if os.Geteuid() == 0 {
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		}
	})
	if got := p.wait(t); got != 0 {
		t.Errorf("exit code = %d, want 0; output:\n%s", got, p.rest(t))
	}
}

func TestSignalsArePassedOn(t *testing.T) {
	t.Parallel()
	p := launch(t, "signal", nil)
	p.await(t, "waiting")
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	p.await(t, "got terminated")
	if got := p.wait(t); got != 3 {
		t.Errorf("exit code = %d, want 3", got)
	}
}

func TestKilledOutsideLeavesNothing(t *testing.T) {
	t.Parallel()
	p := launch(t, "children", nil)
	p.await(t, "started")
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	// Every process inside holds our pipe as its standard output: its end
	// is theirs.
	p.rest(t)
	p.wait(t)
}

func TestCommandAndForward(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	socket := filepath.Join(dir, "forward.sock")
	p := launch(t, "serve", func(cmd *exec.Cmd) { cmd.Env = append(cmd.Env, socketEnv+"="+socket) })
	p.await(t, "serving")

	t.Run("command", func(t *testing.T) {
		cmd, err := netns.Command(t.Context(), p.pid, dir, "sh", "-c", "cat /proc/1/comm; pwd; hostname")
		if err != nil {
			t.Fatal(err)
		}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if diff := cmp.Diff("netns.test\n"+dir+"\nlandbridge\n", string(out)); diff != "" {
			t.Errorf("output (-want +got):\n%s", diff)
		}
	})
	t.Run("forward", func(t *testing.T) {
		got, err := getForwarded(t, socket, "203.0.113.10:80")
		if want := "hello from 203.0.113.10:80 to 192.0.2.1"; err != nil || got != want {
			t.Errorf("answer = %q, %v; want %q", got, err, want)
		}
	})
	t.Run("forward to nobody", func(t *testing.T) {
		if body, err := getForwarded(t, socket, "203.0.113.10:81"); err == nil {
			t.Errorf("answer = %q, want a closed connection", body)
		}
	})
}

// getForwarded forwards a port of 127.0.0.1 to target, asks it once, and
// returns the body.
func getForwarded(t *testing.T, socket, target string) (string, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- netns.Forward(ctx, l, socket, target) }()
	defer func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Forward: %v", err)
		}
	}()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + l.Addr().String())
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return string(body), err
}

// process is a program under test, seen from outside.
type process struct {
	cmd *exec.Cmd
	pid int // of the first process inside, as seen outside
	out *bufio.Reader
}

// launch starts the program and waits until its namespaces exist.
func launch(t *testing.T, name string, adapt func(*exec.Cmd)) *process {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), programEnv+"="+name)
	cmd.Stdout, cmd.Stderr = w, w
	if adapt != nil {
		adapt(cmd)
	}
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd: cmd, out: bufio.NewReader(r)}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // in most tests it has ended
		if cmd.ProcessState == nil {
			_ = cmd.Wait()
		}
		_ = r.Close()
	})
	if name != "unprepared" {
		if p.pid, err = strconv.Atoi(strings.TrimPrefix(p.line(t), "pid ")); err != nil {
			t.Fatalf("%v; output:\n%s", err, p.rest(t))
		}
	}
	return p
}

func (p *process) line(t *testing.T) string {
	t.Helper()
	s, err := p.out.ReadString('\n')
	if err != nil {
		t.Fatalf("reading output: %v; last: %q", err, s)
	}
	return strings.TrimSpace(s)
}

func (p *process) await(t *testing.T, want string) {
	t.Helper()
	if got := p.line(t); got != want {
		t.Fatalf("output = %q, want %q; then:\n%s", got, want, p.rest(t))
	}
}

// rest is all further output, read to its end.
func (p *process) rest(t *testing.T) string {
	t.Helper()
	b, err := io.ReadAll(p.out)
	if err != nil {
		t.Fatalf("reading output: %v", err)
	}
	return string(bytes.TrimSpace(b))
}

func (p *process) wait(t *testing.T) int {
	t.Helper()
	if err := p.cmd.Wait(); err != nil && p.cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return p.cmd.ProcessState.ExitCode()
}

// awaitSignal is the program of TestSignalsArePassedOn.
func awaitSignal() int {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	fmt.Println("waiting")
	fmt.Println("got", <-signals)
	return 3
}

// startChildren is the program of TestKilledOutsideLeavesNothing: one child,
// and one that has left its parent's session.
func startChildren() int {
	for _, script := range []string{"exec sleep 1000", "setsid sleep 1000 & sleep 1000"} {
		cmd := exec.Command("sh", "-c", script)
		cmd.Stdout = os.Stdout
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			return 1
		}
	}
	fmt.Println("started")
	select {}
}
