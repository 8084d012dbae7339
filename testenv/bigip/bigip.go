// Package bigip is a simulated F5 BIG-IP: iControl REST over TLS, the
// configuration behind it, and a data plane over real sockets. It is meant for
// tests of whatever automates BIG-IP devices:
//
//	d, err := bigip.Start(ctx, bigip.Options{Partitions: []string{"web"}})
//	defer d.Close()
//	// talk to d.URL() as admin/admin, trusting d.CA()
//
// What is simulated, and on which source each behaviour rests, is in README.md
// beside this file. The parts: package mcp is the configuration state machine,
// package rest its HTTP voice, package tmm the data plane.
package bigip

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"landbridge.dev/testenv/bigip/fault"
	"landbridge.dev/testenv/bigip/mcp"
	"landbridge.dev/testenv/bigip/rest"
	"landbridge.dev/testenv/bigip/tmm"
)

// Options says how a simulated device is to be. The zero value is a device on
// a free port of 127.0.0.1 with admin/admin and no data plane.
type Options struct {
	Listen             string        // default "127.0.0.1:0"
	Username, Password string        // of the administrator; default admin, admin
	Partitions         []string      // besides Common
	TMOS               string        // version; default "14.1.2.1"
	Hostname           string        // default "bigip01.lab.local"
	DataPlane          bool          // listen on the virtual servers' real addresses and probe members
	TMMs               int           // traffic processes that count their turns apart; default 1
	Latency            time.Duration // of each call
	CommitLatency      time.Duration // of each change besides; changes wait for each other
	CertFile, KeyFile  string        // PEM; default: a throw-away CA and certificate
	AccessLog          io.Writer     // a line for each call; default none
	Log                io.Writer     // what the device does by itself: monitors, listeners; default none
	Clock              func() time.Time
	MaxClients         int           // concurrent connections served; default all; devices have 10
	MaxTokens          int           // of one user; default 100; admin is exempt
	TransactionTimeout time.Duration // idle; default 120 s
	Faults             []fault.Rule  // in force from the start

	// LookupHost resolves the names of FQDN nodes where there is a data plane;
	// default net.DefaultResolver.
	LookupHost func(ctx context.Context, host string) ([]string, error)

	standby bool // starts as the standby unit of a pair
}

// Device is one running simulated BIG-IP. It is safe for concurrent use.
type Device struct {
	o       Options
	store   *mcp.Store
	rest    *rest.Server
	engine  *tmm.Engine // nil without a data plane
	names   *resolver   // as engine
	unit    *unit
	faults  fault.Rules
	calls   *callLog
	server  *http.Server // nil for a device without sockets
	serving chan struct{}
	url     string
	ca      []byte
}

// Start runs a device until Close, or until ctx ends.
func Start(ctx context.Context, o Options) (*Device, error) {
	d, err := New(o)
	if err != nil {
		return nil, err
	}
	if err := d.listen(ctx); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

// checkVersion takes the versions that the schema speaks of.
func checkVersion(v string) error {
	var major, minor int
	if _, err := fmt.Sscanf(v, "%d.%d", &major, &minor); err != nil || major < 14 || major > 17 || strings.Trim(v, "0123456789.") != "" {
		return fmt.Errorf("TMOS version %q: want one from 14.0 to 17.x, such as 14.1.2.1", v)
	}
	return nil
}

// New makes a device without a listener: calls go through Handler. It must be
// closed when it has a data plane.
func New(o Options) (*Device, error) {
	o = withDefaults(o)
	if err := checkVersion(o.TMOS); err != nil {
		return nil, fmt.Errorf("simulated BIG-IP: %w", err)
	}
	d := &Device{o: o, calls: newCallLog(o.AccessLog)}
	d.store = mcp.New(mcp.Options{Version: o.TMOS, Hostname: o.Hostname, Clock: o.Clock})
	if err := d.store.AddAdmin(o.Username, o.Password); err != nil {
		return nil, fmt.Errorf("simulated BIG-IP: %w", err)
	}
	for _, p := range o.Partitions {
		if err := d.addPartition(p); err != nil {
			return nil, fmt.Errorf("simulated BIG-IP: partition %s: %w", p, err)
		}
	}
	for _, r := range o.Faults {
		if _, err := d.faults.Add(r); err != nil {
			return nil, fmt.Errorf("simulated BIG-IP: %w", err)
		}
	}
	d.unit = newUnit(d)
	if err := d.unit.Save(); err != nil {
		return nil, fmt.Errorf("simulated BIG-IP: %w", err)
	}
	var stats rest.Stats
	if o.DataPlane {
		d.engine = tmm.New(tmm.Options{Store: d.store, Logf: d.logf, TMMs: o.TMMs})
		stats = d.engine
		d.names = newResolver(d)
	} else {
		d.store.Watch(d.assumeUp)
	}
	if o.standby {
		d.unit.set("standby")
	}
	d.rest = rest.New(rest.Options{
		Store: d.store, Stats: stats, Unit: d.unit, Intercept: d.intercept, Latency: o.Latency, CommitLatency: o.CommitLatency, MaxTokens: o.MaxTokens,
		TransactionTimeout: o.TransactionTimeout, Clock: o.Clock, Recorder: d.calls.add,
	})
	return d, nil
}

func withDefaults(o Options) Options {
	if o.Listen == "" {
		o.Listen = "127.0.0.1:0"
	}
	if o.Username == "" {
		o.Username = "admin"
	}
	if o.Password == "" {
		o.Password = "admin"
	}
	if o.TMOS == "" {
		o.TMOS = "14.1.2.1"
	}
	if o.Hostname == "" {
		o.Hostname = "bigip01.lab.local"
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func (d *Device) addPartition(name string) error {
	return d.store.Update(func(tx *mcp.Tx) error {
		_, err := tx.Create("auth/partition", "", map[string]any{"name": name})
		return err
	})
}

// assumeUp stands in for monitors where there is no data plane: what is
// watched is up until SetMonitor says otherwise.
func (d *Device) assumeUp(changed []mcp.Key) {
	for _, k := range changed {
		switch k.Kind {
		case "ltm/pool/members", "ltm/node":
			d.assumeUpOne(k)
		case "ltm/pool":
			for _, m := range d.store.List("ltm/pool/members", k.Path) {
				d.assumeUpOne(m.Key())
			}
		}
	}
}

func (d *Device) assumeUpOne(k mcp.Key) {
	if d.store.Status(k).Monitor == "checking" {
		d.store.SetStatus(k, mcp.Status{Monitor: "up"})
	}
}

func (d *Device) listen(ctx context.Context) error {
	cert, ca, err := certificate(d.o)
	if err != nil {
		return fmt.Errorf("simulated BIG-IP: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", d.o.Listen)
	if err != nil {
		return fmt.Errorf("simulated BIG-IP: %w", err)
	}
	d.ca = ca
	d.url = "https://" + l.Addr().String()
	d.server = &http.Server{
		Handler:           d.rest,
		ReadHeaderTimeout: 20 * time.Second, // requestHeaderTimeout of sys/httpd
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12},
		TLSNextProto:      map[string]func(*http.Server, *tls.Conn, http.Handler){}, // httpd speaks HTTP/1.1 only
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	d.serving = make(chan struct{})
	go func() {
		defer close(d.serving)
		if err := d.server.ServeTLS(limited(l, d.o.MaxClients), "", ""); !errors.Is(err, http.ErrServerClosed) {
			d.logf("serving: %v", err)
		}
	}()
	context.AfterFunc(ctx, func() { d.server.Close() })
	return nil
}

func (d *Device) logf(format string, args ...any) {
	if d.o.Log != nil {
		fmt.Fprintf(d.o.Log, d.o.Clock().Format("15:04:05.000 ")+format+"\n", args...)
	}
}

// URL returns "https://127.0.0.1:PORT".
func (d *Device) URL() string { return d.url }

// CA returns the certificate, in PEM, that the device's own is to be verified
// with.
func (d *Device) CA() []byte { return slices.Clone(d.ca) }

// Handler serves the device's REST API in-process, without sockets or TLS.
func (d *Device) Handler() http.Handler { return d.rest }

// Close stops the device: listeners, connections, monitors. It returns when
// all of it has ended.
func (d *Device) Close() error {
	var err error
	if d.server != nil {
		err = d.server.Close()
		<-d.serving
	}
	if d.names != nil {
		d.names.close()
	}
	if d.engine != nil {
		d.engine.Close()
	}
	return err
}

// Snapshot returns the whole configuration as JSON, equal for equal
// configurations. Passwords are in it.
func (d *Device) Snapshot() ([]byte, error) { return d.store.Snapshot() }

// Generation is the number of the last change of the configuration. A reboot
// and a Restore bring an earlier one back.
func (d *Device) Generation() int64 { return d.store.Generation() }

// Restore replaces the whole configuration by that of a snapshot.
func (d *Device) Restore(snapshot []byte) error { return d.store.Restore(snapshot) }

// SetMonitor sets what the monitors say of a member, or with an empty pool of
// a node ("up", "down", "checking"), on a device without a data plane, which
// otherwise finds all of them up.
func (d *Device) SetMonitor(pool, member, state string) {
	if pool == "" {
		d.store.SetStatus(mcp.Key{Kind: "ltm/node", Path: member}, mcp.Status{Monitor: state})
		return
	}
	d.store.SetStatus(mcp.Key{Kind: "ltm/pool/members", Parent: pool, Path: member}, mcp.Status{Monitor: state})
}

// ForgetTokens logs everybody out, as a restart of the REST daemon does.
func (d *Device) ForgetTokens() { d.rest.ForgetTokens() }

// ForgetTransactions drops all open transactions, as a restart of icrd does.
func (d *Device) ForgetTransactions() { d.rest.ForgetTransactions() }
