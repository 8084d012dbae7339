package router

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"landbridge.dev/testenv/netns"
)

// Options say what a router is.
type Options struct {
	// Dir is where its files go; it must exist.
	Dir string
	// Name tells it from others in Dir: "tor-a".
	Name string
	// Address and Port are where it listens, and its router ID where the
	// address is of IPv4.
	Address netip.Addr
	Port    uint16
	ASN     uint32
	// Neighbors are whom it has sessions with.
	Neighbors []Neighbor
	// Kernel puts routes into the kernel's table, as root: for a router in a
	// network namespace of its own.
	Kernel bool
	// On is the host that it runs on; nil for this one.
	On *netns.Host
}

// Neighbor is one session of a router.
type Neighbor struct {
	// Name is a word: "speaker".
	Name    string
	Address netip.Addr
	// Port is the neighbor's; 0 for a router that waits to be called.
	Port     uint16
	ASN      uint32
	Password string
	// AddPaths takes several paths of a prefix.
	AddPaths bool
	// Restart is how long routes are kept while the neighbor is away, in
	// seconds; 0 turns graceful restart off.
	Restart int
	// HoldTime is in seconds; 0 for 9.
	HoldTime int
	// Direct is for a neighbor that is directly connected: then a next hop
	// that is not is refused.
	Direct bool
	// MaxPrefixes is how many prefixes are taken before the session is
	// ended; 0 for no limit.
	MaxPrefixes int
}

// Path is one path of a prefix, as a router holds it.
type Path struct {
	Prefix      netip.Prefix
	NextHop     netip.Addr
	ASPath      string // "64512 64512"
	MED         string // empty for none
	LocalPref   string
	Communities []string // standard and large ones, sorted: "64512:100"
	// Best is the path, or one of the paths, that the router uses.
	Best bool
}

// String writes "203.0.113.10/32 via 172.18.0.2 path 64512".
func (p Path) String() string {
	s := p.Prefix.String() + " via " + p.NextHop.String() + " path " + p.ASPath
	if p.MED != "" {
		s += " med " + p.MED
	}
	if len(p.Communities) > 0 {
		s += " communities " + strings.Join(p.Communities, ",")
	}
	return s
}

// Session is how a session stands at the router.
type Session struct {
	Established bool
	// Info is the router's own word for it.
	Info string
}

// process is a daemon in the background.
type process struct {
	name string
	args []string
	dir  string
	log  string // path of its output
	root bool   // keeps this process's rights
	on   *netns.Host

	cmd  *exec.Cmd
	done chan struct{}
	err  error
}

// nobody is the user without rights of Debian.
const nobody = 65534

// start starts the daemon, as nobody where this process may choose.
func (p *process) start() error {
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o666)
	if err != nil {
		return fmt.Errorf("router %s: %w", p.name, err)
	}
	defer log.Close()
	p.cmd = exec.Command(p.args[0], p.args[1:]...)
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = p.dir, log, log
	if !p.root && mayChooseUser() {
		p.cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	if err := p.on.Start(p.cmd); err != nil {
		return fmt.Errorf("router %s: %w", p.name, err)
	}
	done := make(chan struct{})
	p.done = done
	go func() {
		defer close(done)
		p.err = p.cmd.Wait()
	}()
	return nil
}

// mayChooseUser says whether this process is root and knows of other users: in
// a user namespace of one user it does not.
func mayChooseUser() bool {
	users, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || os.Geteuid() != 0 {
		return false
	}
	var inside, outside, count uint32
	_, err = fmt.Fscan(bytes.NewReader(users), &inside, &outside, &count)
	return err == nil && count > nobody
}

// own makes a folder that the daemon may write.
func own(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if !mayChooseUser() {
		return nil
	}
	return os.Chown(dir, nobody, nobody)
}

// pollInterval is the pause between two looks at what has no event.
const pollInterval = 10 * time.Millisecond

// await asks until ready answers without an error.
func (p *process) await(ctx context.Context, ready func() error) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-p.done:
			return fmt.Errorf("router %s has ended (%w); its output:\n%s", p.name, errors.Join(p.err, err), p.output())
		case <-ctx.Done():
			return fmt.Errorf("router %s does not answer (%w); its output:\n%s", p.name, errors.Join(ctx.Err(), err), p.output())
		}
	}
}

func (p *process) output() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-4000):])
}

// Log is the path of what the daemon writes.
func (p *process) Log() string { return p.log }

// Pause stops the daemon's work, as a machine does that hangs (SIGSTOP).
func (p *process) Pause() error { return p.cmd.Process.Signal(syscall.SIGSTOP) }

// Resume lets it go on.
func (p *process) Resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// Kill ends the daemon at once, and waits until it has ended. A second call
// does nothing.
func (p *process) Kill() {
	if p.cmd == nil || p.cmd.Process == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended
	<-p.done
}

// PID is that of the running daemon.
func (p *process) PID() int { return p.cmd.Process.Pid }

func (o Options) dir() string { return filepath.Join(o.Dir, o.Name) }

func (n Neighbor) hold() int {
	if n.HoldTime == 0 {
		return 9
	}
	return n.HoldTime
}
