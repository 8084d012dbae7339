package broker

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Package is the Debian package that has the broker.
const Package = "rabbitmq-server"

// bin has RabbitMQ's own scripts.
const bin = "/usr/lib/rabbitmq/bin/"

// Username and Password are the administrator's.
const (
	Username = "root"
	Password = "root"
)

// loopback is where a node's own processes and those of its cluster meet.
const loopback = "127.0.0.1"

// pollInterval is the pause between two looks at what has no event.
const pollInterval = 50 * time.Millisecond

// tail is how much of what a node that did not start has said is told, in bytes.
const tail = 1500

// Options say what a node is. The zero value, with a folder, is of use.
type Options struct {
	// Dir is the node's folder; it must exist, and is not removed.
	Dir string
	// Address is where it listens; empty means 127.0.0.1.
	Address string
	// Port and ManagementPort are 0 for any that are free.
	Port, ManagementPort int
	// Config are further lines of rabbitmq.conf.
	Config []string
	// TLS adds a listener that asks clients for certificates and takes
	// their common names for user names (SASL EXTERNAL).
	TLS bool
	// cookie is what the nodes of one cluster share.
	cookie string
	// peers are the names of all nodes of a cluster.
	peers []string
	name  string // of the node, as Erlang has it
}

// Node is a running node. Its methods may be called from several goroutines,
// but for those that start and end it.
type Node struct {
	o     Options
	ports ports
	pki   *pki
	http  *http.Client

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

type ports struct{ amqp, tls, management, dist int }

// Start starts a node and waits until it serves. ctx bounds the start only.
func Start(ctx context.Context, o Options) (*Node, error) {
	n, err := newNode(o)
	if err != nil {
		return nil, fmt.Errorf("broker: %w", err)
	}
	if err := n.Start(ctx); err != nil {
		return nil, err
	}
	return n, nil
}

func newNode(o Options) (*Node, error) {
	if o.Address == "" {
		o.Address = loopback
	}
	if o.cookie == "" {
		o.cookie = rand.Text()
	}
	n := &Node{o: o, http: &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}}
	var err error
	for _, p := range []*int{&n.ports.amqp, &n.ports.tls, &n.ports.management} {
		if *p, err = freePort(o.Address); err != nil {
			return nil, err
		}
	}
	if n.ports.dist, err = freePort(loopback); err != nil {
		return nil, err
	}
	if o.Port != 0 {
		n.ports.amqp = o.Port
	}
	if o.ManagementPort != 0 {
		n.ports.management = o.ManagementPort
	}
	n.o.name = fmt.Sprintf("lb%d@localhost", n.ports.dist)
	return n, n.writeFiles()
}

// The ports that are taken lie below those that Linux gives to connections
// (net.ipv4.ip_local_port_range, from 32768 on): one of these may be in use again,
// or wait for its end, by the time that the node listens.
const (
	firstPort = 20000
	endPort   = 32000
)

func freePort(address string) (int, error) {
	var err error
	for range 100 {
		port := firstPort + mathrand.IntN(endPort-firstPort)
		var l net.Listener
		if l, err = net.Listen("tcp", net.JoinHostPort(address, strconv.Itoa(port))); err == nil {
			return port, l.Close()
		}
	}
	return 0, err
}

// writeFiles writes what the node reads at its start.
func (n *Node) writeFiles() (err error) {
	for _, dir := range []string{"home", "mnesia", "log"} {
		if err := os.MkdirAll(n.path(dir), 0o700); err != nil {
			return err
		}
	}
	plugins := "[rabbitmq_management,rabbitmq_consistent_hash_exchange]."
	conf := []string{
		"management.tcp.ip = " + n.o.Address,
		fmt.Sprintf("management.tcp.port = %d", n.ports.management),
		"management.rates_mode = basic",
		"load_definitions = " + n.path("definitions.json"),
		"collect_statistics_interval = 1000",
		"disk_free_limit.absolute = 50MB",
		"vm_memory_high_watermark.absolute = 1GB",
		"log.console = false",
		"log.file.level = info",
		"loopback_users = none",
	}
	if n.o.TLS {
		plugins = "[rabbitmq_management,rabbitmq_consistent_hash_exchange,rabbitmq_auth_mechanism_ssl]."
		if n.pki, err = newPKI(n.o.Dir, n.o.Address); err != nil {
			return err
		}
		conf = append(conf,
			fmt.Sprintf("listeners.ssl.1 = %s:%d", n.o.Address, n.ports.tls),
			"ssl_options.cacertfile = "+n.path("ca.crt"),
			"ssl_options.certfile = "+n.path("server.crt"),
			"ssl_options.keyfile = "+n.path("server.key"),
			"ssl_options.verify = verify_peer",
			"ssl_options.fail_if_no_peer_cert = false",
			"ssl_cert_login_from = common_name",
			"auth_mechanisms.1 = PLAIN", "auth_mechanisms.2 = AMQPLAIN", "auth_mechanisms.3 = EXTERNAL",
		)
	}
	if len(n.o.peers) > 0 {
		conf = append(conf, "cluster_formation.peer_discovery_backend = classic_config")
		for i, p := range n.o.peers {
			conf = append(conf, fmt.Sprintf("cluster_formation.classic_config.nodes.%d = %s", i+1, p))
		}
	}
	files := map[string]string{
		"home/.erlang.cookie": n.o.cookie,
		"enabled_plugins":     plugins,
		"rabbitmq.conf":       strings.Join(append(conf, n.o.Config...), "\n") + "\n",
		"definitions.json": fmt.Sprintf(`{"users":[{"name":%q,"password":%q,"tags":"administrator"}],"vhosts":[{"name":"/"}],`+
			`"permissions":[{"user":%[1]q,"vhost":"/","configure":".*","write":".*","read":".*"}]}`, Username, Password),
	}
	for name, text := range files {
		if err := os.WriteFile(n.path(name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return os.Chmod(n.path("home/.erlang.cookie"), 0o400)
}

func (n *Node) path(name string) string { return filepath.Join(n.o.Dir, name) }

// env is a clean environment: the scripts would heed much of the caller's.
func (n *Node) env() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + n.path("home"), "LANG=C.UTF-8",
		"RABBITMQ_NODENAME=" + n.o.name,
		"RABBITMQ_NODE_IP_ADDRESS=" + n.o.Address,
		"RABBITMQ_NODE_PORT=" + strconv.Itoa(n.ports.amqp),
		"RABBITMQ_DIST_PORT=" + strconv.Itoa(n.ports.dist),
		"ERL_EPMD_ADDRESS=127.0.0.1",
		"RABBITMQ_MNESIA_BASE=" + n.path("mnesia"),
		"RABBITMQ_LOG_BASE=" + n.path("log"),
		"RABBITMQ_PID_FILE=" + n.path("pid"),
		"RABBITMQ_CONF_ENV_FILE=/dev/null",
		"RABBITMQ_CONFIG_FILE=" + n.path("rabbitmq.conf"),
		"RABBITMQ_CONFIG_FILES=" + n.path("none.d"),
		"RABBITMQ_ENABLED_PLUGINS_FILE=" + n.path("enabled_plugins"),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +S 2:2 +sbwt none +sbwtdcpu none +sbwtdio none",
	}
}

// Start starts a node that has ended, over the data that it has.
func (n *Node) Start(ctx context.Context) error {
	if err := n.launch(); err != nil {
		return fmt.Errorf("broker %s: %w", n.o.name, err)
	}
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		if err := n.API(ctx, http.MethodGet, "/api/health/checks/port-listener/"+strconv.Itoa(n.ports.amqp), nil, nil); err == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-n.done:
			said, _ := os.ReadFile(n.path("log/console.log")) // without it the place is told
			return fmt.Errorf("broker %s: ended at its start; its log is in %s, and ends:\n%s", n.o.name, n.path("log"), said[max(0, len(said)-tail):])
		case <-ctx.Done():
			return fmt.Errorf("broker %s: not ready: %w; its log is in %s", n.o.name, context.Cause(ctx), n.path("log"))
		}
	}
}

func (n *Node) launch() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	out, err := os.OpenFile(n.path("log/console.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(bin + "rabbitmq-server")
	cmd.Dir, cmd.Env = n.o.Dir, n.env()
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the script is a shell, and the node its child
	if err := cmd.Start(); err != nil {
		return err
	}
	done := make(chan struct{})
	n.cmd, n.done = cmd, done
	go func() {
		defer close(done)
		_ = cmd.Wait() // a node that was killed ends with an error
	}()
	return nil
}

// signal tells all of the node's processes.
func (n *Node) signal(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := syscall.Kill(-n.cmd.Process.Pid, s); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("broker %s: %w", n.o.name, err)
	}
	return nil
}

// Stop ends the node in good order, and waits for its end.
func (n *Node) Stop(ctx context.Context) error {
	if err := n.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-n.done:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("broker %s: stopping: %w", n.o.name, ctx.Err()), n.Kill())
	}
}

// Kill ends the node at once, and waits for its end. One that never started has
// ended.
func (n *Node) Kill() error {
	n.mu.Lock()
	started := n.cmd != nil
	n.mu.Unlock()
	if !started {
		return nil
	}
	err := n.signal(syscall.SIGKILL)
	<-n.done
	n.http.CloseIdleConnections()
	return err
}

// Pause stops the node as a hang does: its connections stand, and say nothing.
func (n *Node) Pause() error { return n.signal(syscall.SIGSTOP) }

// Resume lets it go on after Pause.
func (n *Node) Resume() error { return n.signal(syscall.SIGCONT) }

// URL is the amqp URL of the node, without a user.
func (n *Node) URL() string { return "amqp://" + n.Address() }

// Address is "host:port" of its AMQP listener.
func (n *Node) Address() string {
	return net.JoinHostPort(n.o.Address, strconv.Itoa(n.ports.amqp))
}

// TLSURL is the amqps URL of a node with TLS.
func (n *Node) TLSURL() string {
	return "amqps://" + net.JoinHostPort(n.o.Address, strconv.Itoa(n.ports.tls))
}

// ManagementURL is that of the management API.
func (n *Node) ManagementURL() string {
	return "http://" + net.JoinHostPort(n.o.Address, strconv.Itoa(n.ports.management))
}

// Log is the path of the node's log.
func (n *Node) Log() string { return n.path("log/" + n.o.name + ".log") }
