package f5

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/state"
)

// Options says which BIG-IP a Backend speaks to, and as whom.
type Options struct {
	// Name is the backend's name in IDs: "bigip/dc1".
	Name string
	// Hosts are the base URLs of the units of one device group:
	// "https://bigip-a.example.com". Calls go to the one that is active for
	// traffic-group-1; one alone takes them all, whatever it is.
	Hosts []string
	// Credentials are asked for at each login, so that a password may
	// change while the process runs.
	Credentials func() (user, password string, err error)
	// CAFile holds the PEM certificates that the device's own must lead to.
	// It is read for each new connection. RootCAs, when set, goes before
	// it; without both the system's roots count.
	CAFile  string
	RootCAs func() (*x509.CertPool, error)
	// InsecureSkipVerify takes any certificate.
	InsecureSkipVerify bool
	// LoginProvider is the device's authentication provider; default "tmos".
	LoginProvider string
	// NodePartition is where our nodes stand: "Common" (default) or "same",
	// the pool's partition. Reads of single nodes look there first.
	NodePartition string
	// SaveConfig is how often at most the partitions that we changed are
	// saved on the device, and how long after a change at the latest; 0 for
	// never. Saving takes along what others changed in these partitions.
	SaveConfig time.Duration
	// ConfigSync is the device group to which the active unit's changes are
	// pushed, when it alone has some and the group does not sync by itself;
	// empty for never.
	ConfigSync string
	// StaticRoutes says whether the device's static routes are read: without
	// that none of ours is known.
	StaticRoutes bool
	// Identity is who we are: of what stands already, what is ours.
	Identity state.Identity
	// MaxConcurrentCalls is how many calls are in flight at once; default
	// 4. A device's httpd takes 10 connections from everybody together
	// (sys httpd maxClients, captured on TMOS 12.1.2 and 14.1.2).
	MaxConcurrentCalls int
	// CallTimeout bounds one call, retries included; default 60 s, as long
	// as the device itself waits (icrd, restjavad).
	CallTimeout time.Duration
	// Presented is told of each certificate that a unit, by its base URL, has
	// presented and that was verified; nil for nobody.
	Presented func(unit string, c *x509.Certificate)
	// Transport takes the place of connections and TLS, for a device in this
	// process; nil for none.
	Transport http.RoundTripper
	// Log gets one line for each change outside; nil for none.
	Log *zap.Logger
	// Metrics counts calls and logins; nil for none. Several Backends may
	// share one.
	Metrics *Metrics
	// Clock is time.Now when nil.
	Clock func() time.Time
}

const (
	defaultConcurrentCalls = 4
	defaultCallTimeout     = time.Minute
	defaultLoginProvider   = "tmos"
	commonPartition        = "Common"
	samePartition          = "same"
)

func (o *Options) setDefaults() {
	if o.LoginProvider == "" {
		o.LoginProvider = defaultLoginProvider
	}
	if o.NodePartition == "" {
		o.NodePartition = commonPartition
	}
	if o.MaxConcurrentCalls <= 0 {
		o.MaxConcurrentCalls = defaultConcurrentCalls
	}
	if o.CallTimeout <= 0 {
		o.CallTimeout = defaultCallTimeout
	}
	if o.Log == nil {
		o.Log = zap.NewNop()
	}
	if o.Metrics == nil {
		o.Metrics = NewMetrics(nil)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
}

func (o *Options) validate() error {
	var errs []error
	if o.Name == "" {
		errs = append(errs, errors.New("name: must not be empty"))
	}
	if len(o.Hosts) == 0 {
		errs = append(errs, errors.New("hosts: must not be empty"))
	}
	for i, h := range o.Hosts {
		u, err := url.Parse(h)
		if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
			errs = append(errs, fmt.Errorf("hosts[%d]: must be a URL such as https://bigip-a.example.com", i))
		}
	}
	if o.SaveConfig < 0 {
		errs = append(errs, errors.New("saveConfig: must not be negative"))
	}
	if o.Credentials == nil {
		errs = append(errs, errors.New("credentials: must be given"))
	}
	return errors.Join(errs...)
}

// Backend is one BIG-IP, or the units of one device group. Its methods may be
// called concurrently.
type Backend struct {
	opts Options
	// group is the units, in the order of Options.Hosts.
	group  *group
	upkeep *upkeep
	pace   *pace
}

var (
	_ apply.Backend = (*Backend)(nil)
	_ apply.Counter = (*Backend)(nil)
	_ apply.Joiner  = (*Backend)(nil)
	_ apply.Watcher = (*Backend)(nil)
)

// New makes a Backend. It makes no call: the first Read or Apply logs in.
func New(o Options) (*Backend, error) {
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("BIG-IP %s: %w", o.Name, err)
	}
	o.setDefaults()
	o.Metrics.begin(o.Name)
	b := &Backend{opts: o, pace: &pace{}}
	var units []*session
	for _, h := range o.Hosts {
		units = append(units, newSession(strings.TrimRight(h, "/"), &b.opts, b.pace))
	}
	b.group = newGroup(units, &b.opts)
	b.upkeep = newUpkeep(b.group, &b.opts)
	for _, u := range units {
		u.logins.lost = func() { b.group.forgot(u) }
	}
	return b, nil
}

// Name is the backend's name in IDs.
func (b *Backend) Name() string { return b.opts.Name }

// Together is how many changes are best handed over at once while so many
// Services wait: as many as one transaction is filled with, where that saves
// time by what the device's calls take; else 1.
func (b *Backend) Together(waiting int) int { return b.pace.together(waiting) }

// Watch returns when another unit has become active, when none is any more, or
// when the active one has forgotten our login, as after a restart. While it
// runs, the active unit is asked for its role once a second if there are
// several; one alone is never asked. It also saves and syncs, where Options ask
// for it.
func (b *Backend) Watch(ctx context.Context) (why string) {
	var tick <-chan time.Time
	if b.group.several() || b.upkeep.wanted() {
		ticker := time.NewTicker(roleEvery)
		defer ticker.Stop()
		tick = ticker.C
	}
	for {
		select {
		case why := <-b.group.moved:
			return why
		case <-tick:
			// What it finds is told through moved, or met by the next call.
			_, _ = b.group.look(ctx, b.opts.Clock())
			b.upkeep.begin(ctx)
		case <-ctx.Done():
			return ""
		}
	}
}

// Close saves and syncs what is left of that, where Options ask for it, gives
// back the tokens and closes the connections. Calls that come after it fail;
// Watch and calls in flight should have ended before.
func (b *Backend) Close(ctx context.Context) error {
	b.upkeep.end(ctx)
	var errs []error
	for _, s := range b.group.units {
		errs = append(errs, s.close(ctx))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("closing %s: %w", b.opts.Name, err)
	}
	return nil
}
