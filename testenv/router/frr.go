package router

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// FRR is a running bgpd of FRR, without zebra: it holds every next hop for
// reachable. Its methods may be called from several goroutines.
type FRR struct {
	process
	o Options
}

// StartFRR starts a bgpd and waits until it answers. Kill ends it.
func StartFRR(ctx context.Context, o Options) (*FRR, error) {
	f := &FRR{o: o}
	f.process = process{
		name: o.Name, dir: o.dir(), log: filepath.Join(o.dir(), "bgpd.log"),
		args: []string{
			"/usr/lib/frr/bgpd", "-f", f.path("bgpd.conf"), "-i", f.path("bgpd.pid"), "--vty_socket", o.dir(),
			"-P", "0", "-p", fmt.Sprint(o.Port), "-l", o.Address.String(), "-Z", "-S", "--log", "stdout", "--log-level", "warnings",
		},
	}
	if err := own(o.dir()); err != nil {
		return nil, fmt.Errorf("router %s: %w", o.Name, err)
	}
	for name, text := range map[string]string{"bgpd.conf": o.bgpdConf(), "vtysh.conf": ""} {
		if err := os.WriteFile(f.path(name), []byte(text), 0o644); err != nil {
			return nil, fmt.Errorf("router %s: %w", o.Name, err)
		}
	}
	return f, f.Start(ctx)
}

func (f *FRR) path(name string) string { return filepath.Join(f.o.dir(), name) }

// Start starts a bgpd anew that has ended.
func (f *FRR) Start(ctx context.Context) error {
	if err := f.start(); err != nil {
		return err
	}
	return f.await(ctx, func() error {
		_, err := f.show(ctx, "show version")
		return err
	})
}

// bgpdConf is the configuration: FRR's user guide, "BGP".
func (o Options) bgpdConf() string {
	var c strings.Builder
	fmt.Fprintf(&c, "frr defaults traditional\nrouter bgp %d\n bgp router-id %s\n", o.ASN, o.Address)
	c.WriteString(" no bgp ebgp-requires-policy\n no bgp network import-check\n bgp bestpath as-path multipath-relax\n")
	restart := false
	for _, n := range o.Neighbors {
		restart = restart || n.Restart > 0
	}
	if restart {
		c.WriteString(" bgp graceful-restart\n")
	} else {
		c.WriteString(" bgp graceful-restart-disable\n")
	}
	for _, n := range o.Neighbors {
		line := func(format string, args ...any) {
			fmt.Fprintf(&c, " neighbor %s %s\n", n.Address, fmt.Sprintf(format, args...))
		}
		line("remote-as %d", n.ASN)
		line("update-source %s", o.Address)
		if n.Port == 0 {
			line("passive")
		} else {
			line("port %d", n.Port)
		}
		if n.ASN != o.ASN {
			line("ebgp-multihop 255")
		}
		if n.Password != "" {
			line("password %s", n.Password)
		}
		line("timers %d %d", n.hold()/3, n.hold())
		line("timers connect 1")
	}
	for _, family := range []string{"ipv4", "ipv6"} {
		fmt.Fprintf(&c, " address-family %s unicast\n  maximum-paths 64\n  maximum-paths ibgp 64\n", family)
		for _, n := range o.Neighbors {
			fmt.Fprintf(&c, "  neighbor %s activate\n", n.Address)
			if !n.AddPaths {
				fmt.Fprintf(&c, "  neighbor %s disable-addpath-rx\n", n.Address)
			}
			if n.MaxPrefixes > 0 {
				fmt.Fprintf(&c, "  neighbor %s maximum-prefix %d\n", n.Address, n.MaxPrefixes)
			}
		}
		c.WriteString(" exit-address-family\n")
	}
	return c.String()
}

// show runs one vtysh command.
func (f *FRR) show(ctx context.Context, command string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "vtysh", "--vty_socket", f.o.dir(), "--config_dir", f.o.dir(), "-d", "bgpd", "-c", command)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		err = fmt.Errorf("%w: %s", err, exit.Stderr)
	}
	if err != nil {
		return nil, fmt.Errorf("router %s: %s: %w", f.o.Name, command, err)
	}
	return out, nil
}

// Do runs a vtysh command.
func (f *FRR) Do(ctx context.Context, command string) (string, error) {
	out, err := f.show(ctx, command)
	return string(out), err
}

// frrTable is the answer to "show bgp … unicast detail json".
type frrTable struct {
	Routes map[string]json.RawMessage `json:"routes"`
}

// frrPath is one path there.
type frrPath struct {
	ASPath struct {
		String string `json:"string"`
	} `json:"aspath"`
	Metric    *uint32 `json:"metric"`
	LocalPref *uint32 `json:"locPrf"`
	Bestpath  struct {
		Overall bool `json:"overall"`
	} `json:"bestpath"`
	Multipath bool `json:"multipath"`
	Community struct {
		List []string `json:"list"`
	} `json:"community"`
	LargeCommunity struct {
		List []string `json:"list"`
	} `json:"largeCommunity"`
	Nexthops []struct {
		IP string `json:"ip"`
	} `json:"nexthops"`
}

// Paths are all that bgpd holds, sorted by prefix and next hop.
func (f *FRR) Paths(ctx context.Context) ([]Path, error) {
	var paths []Path
	for _, family := range []string{"ipv4", "ipv6"} {
		out, err := f.show(ctx, "show bgp "+family+" unicast json")
		if err != nil {
			return nil, err
		}
		var table frrTable
		if err := json.Unmarshal(out, &table); err != nil {
			return nil, fmt.Errorf("router %s: %w", f.o.Name, err)
		}
		for prefix := range table.Routes {
			found, err := f.prefix(ctx, family, prefix)
			if err != nil {
				return nil, err
			}
			paths = append(paths, found...)
		}
	}
	sortPaths(paths)
	return paths, nil
}

// prefix are the paths of one prefix, with all their attributes.
func (f *FRR) prefix(ctx context.Context, family, prefix string) ([]Path, error) {
	out, err := f.show(ctx, "show bgp "+family+" unicast "+prefix+" json")
	if err != nil {
		return nil, err
	}
	var detail struct {
		Paths []frrPath `json:"paths"`
	}
	if err := json.Unmarshal(out, &detail); err != nil {
		return nil, fmt.Errorf("router %s: %w", f.o.Name, err)
	}
	var paths []Path
	for _, d := range detail.Paths {
		p := Path{ASPath: d.ASPath.String, Best: d.Bestpath.Overall || d.Multipath}
		if p.Prefix, err = netip.ParsePrefix(prefix); err != nil {
			return nil, fmt.Errorf("router %s: %w", f.o.Name, err)
		}
		if len(d.Nexthops) > 0 {
			if p.NextHop, err = netip.ParseAddr(d.Nexthops[0].IP); err != nil {
				return nil, fmt.Errorf("router %s: %w", f.o.Name, err)
			}
		}
		if d.Metric != nil {
			p.MED = fmt.Sprint(*d.Metric)
		}
		if d.LocalPref != nil {
			p.LocalPref = fmt.Sprint(*d.LocalPref)
		}
		p.Communities = append(slices.Clone(d.Community.List), d.LargeCommunity.List...)
		slices.Sort(p.Communities)
		paths = append(paths, p)
	}
	return paths, nil
}

// Count is how many prefixes bgpd holds from its neighbors.
func (f *FRR) Count(ctx context.Context) (int, error) {
	out, err := f.show(ctx, "show bgp summary json")
	if err != nil {
		return 0, err
	}
	var families map[string]struct {
		Peers map[string]struct {
			Received int `json:"pfxRcd"`
		} `json:"peers"`
	}
	if err := json.Unmarshal(out, &families); err != nil {
		return 0, fmt.Errorf("router %s: %w", f.o.Name, err)
	}
	total := 0
	for _, family := range families {
		for _, p := range family.Peers {
			total += p.Received
		}
	}
	return total, nil
}

// Session is how the session with a neighbor stands.
func (f *FRR) Session(ctx context.Context, neighbor netip.Addr) (Session, error) {
	out, err := f.show(ctx, "show bgp neighbors "+neighbor.String()+" json")
	if err != nil {
		return Session{}, err
	}
	var found map[string]struct {
		State string `json:"bgpState"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		return Session{}, fmt.Errorf("router %s: %w", f.o.Name, err)
	}
	info := found[neighbor.String()].State
	return Session{Established: info == "Established", Info: info}, nil
}
