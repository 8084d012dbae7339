package bigip

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"landbridge.dev/testenv/bigip/fault"
)

// commandFlags are what Command reads from its arguments.
type commandFlags struct {
	o          Options
	peer       string
	group      string
	autoSync   bool
	control    string
	restore    string
	snapshotTo string
	caOut      string
	quiet      bool
	dataPlane  string
}

// Command is "landbridge-lab bigip": it runs a device, or with --peer a pair,
// until ctx ends. When it is ready it prints what it serves to stdout, one
// "name value" a line, the last of them "ready"; the access log goes to
// stderr. The error of a wrong flag is flag.ErrHelp or says what is wrong.
func Command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f, err := parseCommand(args, stderr)
	if err != nil {
		return err
	}
	devices, stop, err := f.start(ctx)
	if err != nil {
		return err
	}
	err = f.serve(ctx, devices, stdout)
	return errors.Join(err, f.keep(devices), stop())
}

func parseCommand(args []string, stderr io.Writer) (*commandFlags, error) {
	f := &commandFlags{}
	fs := flag.NewFlagSet("bigip", flag.ContinueOnError)
	fs.SetOutput(stderr)
	fs.StringVar(&f.o.Listen, "listen", "127.0.0.1:8443", "`address` of iControl REST; port 0 takes a free one")
	fs.StringVar(&f.o.Username, "username", "admin", "the administrator's `name`")
	fs.StringVar(&f.o.Password, "password", "admin", "the administrator's password")
	fs.StringVar(&f.o.TMOS, "tmos", "14.1.2.1", "`version` to answer as: 14.1 as captured, 17.1 as documented")
	fs.StringVar(&f.o.Hostname, "hostname", "", "the unit's `name`")
	fs.StringVar(&f.peer, "peer", "", "`address` of a second unit: the two form an HA pair")
	fs.StringVar(&f.group, "device-group", "pair", "`name` of the pair's device group")
	fs.BoolVar(&f.autoSync, "auto-sync", false, "changes go to the peer by themselves")
	fs.StringVar(&f.dataPlane, "data-plane", "auto", "auto: listen on virtual servers' addresses that this machine has; off: configuration only")
	fs.IntVar(&f.o.TMMs, "tmms", 1, "traffic processes that count their turns apart")
	fs.IntVar(&f.o.MaxClients, "max-clients", 0, "concurrent connections served, 0 all; devices have 10")
	fs.DurationVar(&f.o.Latency, "latency", 0, "added to every call")
	fs.DurationVar(&f.o.CommitLatency, "commit-latency", 0, "added to every change, one change at a time")
	fs.StringVar(&f.o.CertFile, "cert", "", "certificate `file`, PEM; default: made for this run")
	fs.StringVar(&f.o.KeyFile, "key", "", "key `file`, PEM")
	fs.StringVar(&f.caOut, "ca-out", "", "write the certificate to trust to this `file`")
	fs.StringVar(&f.control, "control", "", "`address` of the control API, or unix:PATH")
	fs.StringVar(&f.restore, "restore", "", "start from the snapshot in this `file`")
	fs.StringVar(&f.snapshotTo, "snapshot", "", "write a snapshot to this `file` at the end")
	fs.BoolVar(&f.quiet, "quiet", false, "no access log")
	fs.Func("partition", "make this partition; may be repeated", func(s string) error {
		f.o.Partitions = append(f.o.Partitions, s)
		return nil
	})
	fs.Func("fault", "`rule` such as do=busy,method=POST,path=/mgmt/tm/ltm/*,count=3; may be repeated", func(s string) error {
		r, err := fault.Parse(s)
		f.o.Faults = append(f.o.Faults, r)
		return err
	})
	if err := fs.Parse(args); err != nil {
		return nil, err
	}
	return f, f.check(fs.Args(), stderr)
}

func (f *commandFlags) check(rest []string, stderr io.Writer) error {
	if len(rest) > 0 {
		return fmt.Errorf("bigip: unexpected argument %q", rest[0])
	}
	if (f.o.CertFile == "") != (f.o.KeyFile == "") {
		return errors.New("bigip: --cert and --key go together")
	}
	if f.o.TMMs < 1 || f.o.MaxClients < 0 || f.o.Latency < 0 || f.o.CommitLatency < 0 {
		return errors.New("bigip: --tmms wants 1 or more, --max-clients and the latencies 0 or more")
	}
	switch f.dataPlane {
	case "auto":
		f.o.DataPlane = true
	case "off":
	default:
		return fmt.Errorf("bigip: --data-plane %q: want auto or off", f.dataPlane)
	}
	if !f.quiet {
		f.o.AccessLog, f.o.Log = stderr, stderr
	}
	return nil
}

func (f *commandFlags) start(ctx context.Context) ([]*Device, func() error, error) {
	if f.peer == "" {
		d, err := Start(ctx, f.o)
		if err != nil {
			return nil, nil, err
		}
		return []*Device{d}, d.Close, nil
	}
	b := f.o
	b.Listen, b.Hostname = f.peer, ""
	p, err := StartPair(ctx, f.o, b, PairOptions{Group: f.group, AutoSync: f.autoSync})
	if err != nil {
		return nil, nil, err
	}
	return []*Device{p.A, p.B}, p.Close, nil
}

// serve runs the control API and says what is served, until ctx ends.
func (f *commandFlags) serve(ctx context.Context, devices []*Device, stdout io.Writer) error {
	if f.restore != "" {
		data, err := os.ReadFile(f.restore)
		if err != nil {
			return err
		}
		if err := devices[0].Restore(data); err != nil {
			return err
		}
	}
	if f.caOut != "" {
		var all []byte
		for _, d := range devices {
			all = append(all, d.CA()...)
		}
		if err := os.WriteFile(f.caOut, all, 0o644); err != nil { //nolint:gosec // a certificate is public
			return err
		}
	}
	stopControl, err := f.startControl(ctx, devices, stdout)
	if err != nil {
		return err
	}
	defer stopControl()
	for i, d := range devices {
		fmt.Fprintf(stdout, "unit%d %s %s TMOS %s %s\n", i+1, d.URL(), d.o.Hostname, d.o.TMOS, d.FailoverState())
	}
	fmt.Fprintf(stdout, "user %s\npartitions Common %s\nready\n", f.o.Username, strings.Join(f.o.Partitions, " "))
	<-ctx.Done()
	return nil
}

func (f *commandFlags) startControl(ctx context.Context, devices []*Device, stdout io.Writer) (stop func(), err error) {
	if f.control == "" {
		return func() {}, nil
	}
	network, address := "tcp", f.control
	if p, ok := strings.CutPrefix(f.control, "unix:"); ok {
		network, address = "unix", p
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("control API: %w", err)
	}
	s := &http.Server{Handler: Control(devices...), ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Serve(l) //nolint:errcheck // ends with Close
	}()
	fmt.Fprintf(stdout, "control %s\n", l.Addr())
	return func() { s.Close(); <-done }, nil
}

// keep writes the snapshot that was asked for.
func (f *commandFlags) keep(devices []*Device) error {
	if f.snapshotTo == "" {
		return nil
	}
	snap, err := devices[0].Snapshot()
	if err != nil {
		return err
	}
	return os.WriteFile(f.snapshotTo, snap, 0o600)
}
