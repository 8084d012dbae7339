package agent

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"sigs.k8s.io/yaml"

	"landbridge.dev/config"
	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/protocol"
)

// Config is an agent's configuration file.
type Config struct {
	// Cluster is the name of the cluster, as in the controller's
	// configuration.
	Cluster string `json:"cluster"`
	// MQ is how the broker is reached.
	MQ config.MQ `json:"mq"`
	// Vhost is that of the registry; "/" unless written.
	Vhost string `json:"vhost,omitempty"`
	// User is the broker's name for this VM, where a certificate logs in; with
	// a password the user's name is that of the credentials.
	User string `json:"user,omitempty"`
	// Instance is this VM's name; the host's unless written.
	Instance string     `json:"instance,omitempty"`
	Zone     string     `json:"zone,omitempty"`
	Register []Register `json:"register,omitempty"`
	Want     []Want     `json:"want,omitempty"`
}

// Register is a service of this VM.
type Register struct {
	// Service is "namespace/name" in the cluster.
	Service string `json:"service"`
	// Addresses are one of a family; without any, the one by which the broker
	// is reached.
	Addresses []string        `json:"addresses,omitempty"`
	Ports     []protocol.Port `json:"ports"`
	Check     Check           `json:"check,omitempty"`
	// Lease is how long the registry believes us without a word: 3s to 5m, 30s
	// unless written.
	Lease config.Duration `json:"lease,omitempty"`
	// Drain is how long connections are waited for at the end; 60s unless
	// written.
	Drain *config.Duration `json:"drain,omitempty"`
}

// Check says whether a service is well. One kind may be written; without any it
// always is.
type Check struct {
	TCP     string   `json:"tcp,omitempty"`  // host:port that takes connections
	HTTP    string   `json:"http,omitempty"` // URL that answers 2xx
	Command []string `json:"command,omitempty"`
	// Interval is 5s and Timeout 2s unless written.
	Interval config.Duration `json:"interval,omitempty"`
	Timeout  config.Duration `json:"timeout,omitempty"`
	// Fall is after how many failures one after the other it is not well: 3
	// unless written. One success makes it well again.
	Fall int `json:"fall,omitempty"`
}

// Want is a file that holds where services of the cluster are.
type Want struct {
	Services []string `json:"services"` // "namespace/name"
	File     string   `json:"file"`
	// Template is a file for text/template; without it the file is JSON.
	Template string `json:"template,omitempty"`
	// Command is run after the file has changed.
	Command []string `json:"command,omitempty"`
}

// What holds where nothing is written.
const (
	defaultInterval = 5 * time.Second
	defaultTimeout  = 2 * time.Second
	defaultFall     = 3
	defaultDrain    = 60 * time.Second
)

// Load reads and checks a configuration file.
func Load(path string) (*Config, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	c := &Config{}
	if err := yaml.UnmarshalStrict(raw, c); err != nil {
		return nil, fmt.Errorf("config %s: %w", path, err)
	}
	if err := c.complete(); err != nil {
		return nil, fmt.Errorf("config %s: %w", path, err)
	}
	return c, nil
}

var service = regexp.MustCompile(`^[a-z0-9][-a-z0-9]*/[a-z0-9][-a-z0-9]*$`)

// complete fills in defaults, and says all that is wrong.
func (c *Config) complete() error {
	var errs []error
	bad := func(path, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
	}
	if c.Cluster == "" {
		bad("cluster", "is empty; write the name that the controller's configuration has")
	}
	if len(c.MQ.URLs) == 0 {
		bad("mq.urls", "is empty; give the amqps URL of each node")
	}
	if c.Vhost == "" {
		c.Vhost = config.DefaultVhost
	}
	switch {
	case c.MQ.CredentialsDir == "" && (c.MQ.CertFile == "" || c.User == ""):
		bad("mq.credentialsDir", "is empty; name the folder with the files username and password, or give certFile and keyFile, and user")
	case c.MQ.CredentialsDir != "" && c.User != "":
		bad("user", "contradicts mq.credentialsDir, which has the user's name")
	}
	if c.Instance == "" {
		host, err := os.Hostname()
		if err != nil {
			bad("instance", "is empty, and the host has no name: %v", err)
		}
		c.Instance = strings.ToLower(host)
	}
	if len(c.Register)+len(c.Want) == 0 {
		bad("register", "is empty, as is want: there is nothing to do")
	}
	for i := range c.Register {
		r := &c.Register[i]
		r.complete(fmt.Sprintf("register[%d]", i), bad)
		if slices.ContainsFunc(c.Register[:i], func(o Register) bool { return o.Service == r.Service }) {
			bad(fmt.Sprintf("register[%d].service", i), "%q is there twice: one instance has one registration; write all ports into one", r.Service)
		}
	}
	for i, w := range c.Want {
		w.check(fmt.Sprintf("want[%d]", i), bad)
	}
	return errors.Join(errs...)
}

func (r *Register) complete(path string, bad func(path, format string, args ...any)) {
	if !service.MatchString(r.Service) {
		bad(path+".service", "%q must be NAMESPACE/NAME", r.Service)
	}
	for i, a := range r.Addresses {
		if _, err := netip.ParseAddr(a); err != nil {
			bad(fmt.Sprintf("%s.addresses[%d]", path, i), "%q is no address", a)
		}
	}
	if len(r.Ports) == 0 {
		bad(path+".ports", "is empty; write where the service listens: [{port: 8080}]")
	}
	if r.Lease == 0 {
		r.Lease = config.Duration(protocol.DefaultLease)
	}
	if l := time.Duration(r.Lease); l < protocol.LeastLease || l > protocol.MostLease {
		bad(path+".lease", "must be %s to %s", protocol.LeastLease, protocol.MostLease)
	}
	if r.Drain == nil {
		d := config.Duration(defaultDrain)
		r.Drain = &d
	}
	r.Check.complete(path+".check", bad)
}

func (c *Check) complete(path string, bad func(path, format string, args ...any)) {
	if c.Interval == 0 {
		c.Interval = config.Duration(defaultInterval)
	}
	if c.Timeout == 0 {
		c.Timeout = config.Duration(defaultTimeout)
	}
	if c.Fall == 0 {
		c.Fall = defaultFall
	}
	kinds := 0
	for _, is := range []bool{c.TCP != "", c.HTTP != "", len(c.Command) > 0} {
		if is {
			kinds++
		}
	}
	if kinds > 1 {
		bad(path, "write one of tcp, http and command")
	}
	if u, err := url.Parse(c.HTTP); c.HTTP != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
		bad(path+".http", "%q must be a URL of http or https", c.HTTP)
	}
	if c.Interval < 0 || c.Timeout < 0 || c.Fall < 0 {
		bad(path, "interval, timeout and fall must be above 0")
	}
}

func (w Want) check(path string, bad func(path, format string, args ...any)) {
	if len(w.Services) == 0 || len(w.Services) > protocol.MostSnapshot {
		bad(path+".services", "must be 1 to %d", protocol.MostSnapshot)
	}
	for i, s := range w.Services {
		if !service.MatchString(s) || slices.Contains(w.Services[:i], s) {
			bad(fmt.Sprintf("%s.services[%d]", path, i), "%q must be NAMESPACE/NAME, and there once", s)
		}
	}
	if w.File == "" {
		bad(path+".file", "is empty; name the file to write")
	}
}

// user is the broker's name for this VM.
func (c *Config) user() (string, error) {
	if c.User != "" {
		return c.User, nil
	}
	user, _, err := broker.Credentials(c.MQ.CredentialsDir)
	return user, err
}
