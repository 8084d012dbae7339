package router

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// BIRD is a running BIRD. Its methods may be called from several goroutines.
type BIRD struct {
	process
	o Options
}

// StartBIRD starts a BIRD and waits until it answers. Kill ends it.
func StartBIRD(ctx context.Context, o Options) (*BIRD, error) {
	b := &BIRD{o: o}
	b.process = process{
		root: o.Kernel, on: o.On,
		name: o.Name, dir: o.dir(), log: filepath.Join(o.dir(), "bird.log"),
		args: []string{"/usr/sbin/bird", "-f", "-c", b.path("bird.conf"), "-s", b.path("bird.ctl"), "-P", b.path("bird.pid")},
	}
	if err := own(o.dir()); err != nil {
		return nil, fmt.Errorf("router %s: %w", o.Name, err)
	}
	if err := b.Configure(o.Neighbors...); err != nil {
		return nil, err
	}
	return b, b.Start(ctx)
}

func (b *BIRD) path(name string) string { return filepath.Join(b.o.dir(), name) }

// Start starts a BIRD anew that has ended.
func (b *BIRD) Start(ctx context.Context) error {
	if err := b.start(); err != nil {
		return err
	}
	return b.await(ctx, func() error {
		_, err := b.ask("show status")
		return err
	})
}

// Configure writes the configuration for these neighbors. A BIRD that runs
// takes it up with Reload.
func (b *BIRD) Configure(neighbors ...Neighbor) error {
	b.o.Neighbors = neighbors
	if err := os.WriteFile(b.path("bird.conf"), []byte(b.o.birdConf()), 0o644); err != nil {
		return fmt.Errorf("router %s: %w", b.o.Name, err)
	}
	return nil
}

// Reload takes a configuration up.
func (b *BIRD) Reload() error {
	_, err := b.ask("configure")
	return err
}

// birdConf is the configuration: the BIRD manual, sections 3 and 6.3.
func (o Options) birdConf() string {
	var c strings.Builder
	id := o.Address
	if !id.Is4() {
		id = netip.AddrFrom4([4]byte{127, 0, 0, 9})
	}
	fmt.Fprintf(&c, "log stderr all;\nrouter id %s;\nprotocol device { scan time 60; }\n", id)
	if o.Kernel {
		c.WriteString("protocol direct { ipv4; ipv6; }\n" +
			"protocol kernel { merge paths on limit 64; ipv4 { import none; export where source = RTS_BGP; }; }\n" +
			"protocol kernel { merge paths on limit 64; ipv6 { import none; export where source = RTS_BGP; }; }\n")
	}
	for _, n := range o.Neighbors {
		o.birdSession(&c, n)
	}
	return c.String()
}

func (o Options) birdSession(c *strings.Builder, n Neighbor) {
	fmt.Fprintf(c, "protocol bgp %s {\n", n.Name)
	fmt.Fprintf(c, "  local %s port %d as %d;\n", o.Address, o.Port, o.ASN)
	fmt.Fprintf(c, "  neighbor %s", n.Address)
	if n.Port != 0 {
		fmt.Fprintf(c, " port %d", n.Port)
	}
	fmt.Fprintf(c, " as %d;\n  strict bind yes;\n", n.ASN)
	if n.Port == 0 {
		c.WriteString("  passive yes;\n")
	}
	switch {
	case n.Direct:
		c.WriteString("  direct;\n")
	default:
		c.WriteString("  multihop;\n")
	}
	if n.Password != "" {
		fmt.Fprintf(c, "  password %q;\n", n.Password)
	}
	fmt.Fprintf(c, "  hold time %d; connect delay time 1; connect retry time 1; error wait time 1, 2; error forget time 5;\n", n.hold())
	if n.Restart > 0 {
		fmt.Fprintf(c, "  graceful restart on; graceful restart time %d;\n", n.Restart)
	} else {
		c.WriteString("  graceful restart off;\n")
	}
	c.WriteString("  debug { routes, events, states };\n")
	for _, family := range []string{"ipv4", "ipv6"} {
		fmt.Fprintf(c, "  %s { import all; export none;", family)
		if n.AddPaths {
			c.WriteString(" add paths rx;")
		}
		if n.MaxPrefixes > 0 {
			fmt.Fprintf(c, " receive limit %d action disable;", n.MaxPrefixes)
		}
		c.WriteString(" };\n")
	}
	c.WriteString("}\n")
}

// endOfReply is a line that ends an answer: a code and a space.
var endOfReply = regexp.MustCompile(`^\d{4} `)

// ask sends one command to the control socket and returns the answer's lines.
func (b *BIRD) ask(command string) ([]string, error) {
	conn, err := net.DialTimeout("unix", b.path("bird.ctl"), time.Second)
	if err != nil {
		return nil, fmt.Errorf("router %s: %w", b.o.Name, err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return nil, fmt.Errorf("router %s: %w", b.o.Name, err)
	}
	in := bufio.NewScanner(conn)
	in.Buffer(nil, 1<<20)
	in.Scan() // the greeting
	if _, err := fmt.Fprintln(conn, command); err != nil {
		return nil, fmt.Errorf("router %s: %w", b.o.Name, err)
	}
	var lines []string
	for in.Scan() {
		line := in.Text()
		end := endOfReply.MatchString(line)
		switch {
		case len(line) > 4 && line[0] >= '0' && line[0] <= '9' && (line[4] == '-' || line[4] == ' '):
			lines = append(lines, line[5:])
		default:
			lines = append(lines, strings.TrimPrefix(line, " "))
		}
		if !end {
			continue
		}
		if line[0] == '8' || line[0] == '9' {
			return nil, fmt.Errorf("router %s: %s: %s", b.o.Name, command, line)
		}
		return lines, nil
	}
	return nil, fmt.Errorf("router %s: %s: the answer was cut: %w", b.o.Name, command, in.Err())
}

// pathHead is the first line of a path; its prefix is left out where it is
// that of the path before.
var pathHead = regexp.MustCompile(`^(\S*)\s+(unicast|unreachable|blackhole|prohibit)\s+\[(\S+) (\S+)(?: from \S+)?\] ?(\*?) `)

// Paths are all that BIRD holds, sorted by prefix and next hop.
func (b *BIRD) Paths(context.Context) ([]Path, error) {
	lines, err := b.ask("show route all where source = RTS_BGP")
	if err != nil {
		return nil, err
	}
	var paths []Path
	var prefix netip.Prefix
	for _, line := range lines {
		if m := pathHead.FindStringSubmatch(line); m != nil {
			if m[1] != "" {
				if prefix, err = netip.ParsePrefix(m[1]); err != nil {
					return nil, fmt.Errorf("router %s: %w", b.o.Name, err)
				}
			}
			paths = append(paths, Path{Prefix: prefix, Best: m[5] == "*"})
			continue
		}
		key, value, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok || len(paths) == 0 {
			continue
		}
		if err := paths[len(paths)-1].birdAttribute(key, value); err != nil {
			return nil, fmt.Errorf("router %s: %w", b.o.Name, err)
		}
	}
	sortPaths(paths)
	return paths, nil
}

func (p *Path) birdAttribute(key, value string) (err error) {
	switch key {
	case "BGP.next_hop":
		p.NextHop, err = netip.ParseAddr(strings.Fields(value)[0])
	case "BGP.as_path":
		p.ASPath = value
	case "BGP.med":
		p.MED = value
	case "BGP.local_pref":
		p.LocalPref = value
	case "BGP.community", "BGP.large_community":
		for _, c := range communityText.FindAllStringSubmatch(value, -1) {
			p.Communities = append(p.Communities, strings.ReplaceAll(strings.ReplaceAll(c[1], " ", ""), ",", ":"))
		}
		slices.Sort(p.Communities)
	}
	return err
}

// communityText is "(64512,100)" or "(64512, 1, 2)".
var communityText = regexp.MustCompile(`\(([0-9, ]+)\)`)

// Session is how the session with a neighbor stands.
func (b *BIRD) Session(_ context.Context, neighbor string) (Session, error) {
	lines, err := b.ask("show protocols " + neighbor)
	if err != nil {
		return Session{}, err
	}
	last := strings.Fields(lines[len(lines)-1])
	if len(last) == 0 { // the answer's end is an empty line
		last = strings.Fields(lines[len(lines)-2])
	}
	info := strings.Join(last[min(5, len(last)):], " ")
	return Session{Established: strings.Contains(info, "Established"), Info: info}, nil
}

// Do sends a command of BIRD's own: "disable speaker".
func (b *BIRD) Do(command string) (string, error) {
	lines, err := b.ask(command)
	return strings.Join(lines, "\n"), err
}

// Count is how many paths of BGP BIRD holds: cheaper than Paths.
func (b *BIRD) Count(context.Context) (int, error) {
	lines, err := b.ask("show route where source = RTS_BGP count")
	if err != nil {
		return 0, err
	}
	total := 0
	for _, line := range lines {
		fields := strings.Fields(line) // "N of M routes for K networks in table master4"
		if len(fields) < 4 || fields[1] != "of" {
			continue
		}
		n, err := strconv.Atoi(fields[0])
		if err != nil {
			return 0, fmt.Errorf("router %s: %w", b.o.Name, err)
		}
		total += n
	}
	return total, nil
}

// Removed are the paths that were taken away since the log was begun, as BIRD
// itself tells of them, those that another took the place of left out.
func (b *BIRD) Removed() ([]string, error) {
	return b.logged(" > removed ", func(what string) bool { return !strings.HasPrefix(what, "[replaced]") })
}

// Received are the paths that came in since the log was begun, also those that
// are as before.
func (b *BIRD) Received() ([]string, error) {
	return b.logged(" > ", func(what string) bool {
		for _, verb := range []string{"added ", "replaced ", "updated ", "ignored "} {
			if strings.HasPrefix(what, verb) {
				return true
			}
		}
		return false
	})
}

// logged is what follows a mark in the lines of the log.
func (b *BIRD) logged(mark string, is func(string) bool) ([]string, error) {
	raw, err := os.ReadFile(b.log)
	if err != nil {
		return nil, fmt.Errorf("router %s: %w", b.o.Name, err)
	}
	var found []string
	for line := range strings.Lines(string(raw)) {
		if _, what, ok := strings.Cut(line, mark); ok && is(what) {
			what = strings.TrimSpace(what)
			for _, word := range []string{"added ", "replaced ", "updated ", "ignored ", "[best] ", "[sole] "} {
				what = strings.TrimPrefix(what, word)
			}
			found = append(found, what)
		}
	}
	return found, nil
}

func sortPaths(paths []Path) {
	slices.SortFunc(paths, func(a, b Path) int {
		if c := a.Prefix.Compare(b.Prefix); c != 0 {
			return c
		}
		return a.NextHop.Compare(b.NextHop)
	})
}
