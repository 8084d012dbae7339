// Package testenv_test runs the scripts of testdata/script: one feature of
// landbridge each, on a world of its own (package world) with a real control
// plane, a simulated BIG-IP that carries traffic, and the landbridge binary.
//
// A script is of package testscript's language, with the commands below. All
// that is started ends with the script. $WORK/landbridge.yaml is made unless
// the script brings one. In the script's files and commands $NAME stands for
//
//	$BIGIP            the device's URL                $WORK   the script's folder
//	$VIP $VIP2 $VIP3  addresses of the pool "public"  $VIPS   that pool, 16 addresses
//	$VM1 … $VM9       addresses of VMs                $VMS    their network
//	$VIP6 $VIP6_2     the same, IPv6                  $VIPS6  that pool, a /64
//	$PODS_A $PODS_B   "10.244.11": node-a's network of pods without its last byte, that of node-b
//	$UID              of the cluster, as in owner tags
//
// in files $DIR is the script's folder. Namespace shop is there, and may use
// partition web and that pool.
//
//	kubectl ARGS…                   the real one, with all rights
//	pods NAME…                      make ready pods in shop, labelled app=NAME up to its first "-", that
//	                                serve HTTP on 8080 (port http) and 8081 (admin), UDP on 5353 (dns)
//	node ready|unready|kill|revive NAME
//	apiserver down|up|pause|resume
//	manager pause|resume            the controllers of Kubernetes, that of EndpointSlices among them
//	apiserver empty                 it loses all that it knew, and serves again; landbridge has its rights anew
//	condition SERVICE               "True Programmed: MESSAGE", of a Service in shop or NAMESPACE/NAME
//	gates APP                       the gate landbridge.dev/pool-member of each pod in shop with that label:
//	                                "ready|unready True InPlace: MESSAGE", sorted
//	address SERVICE                 its annotation landbridge.dev/address
//
//	allow SERVICE                   `landbridge allow` with the hash that its condition tells
//
//	landbridge start [NAME] [FLAG…] start a controller, wait until it leads and has read the device
//	landbridge launch [NAME] [FLAG…]  only start it; NAME is "controller" unless written
//	landbridge await leading|standby|end [NAME]
//	landbridge stop|kill [NAME]     SIGTERM and exit code 0, or SIGKILL
//	landbridge pause|resume [NAME]  SIGSTOP, SIGCONT: as a machine that hangs for a while
//	landbridge within DURATION [NAME]  its first change outside after it last won the lease came so soon
//	landbridge log|audit|metrics [NAME]  what it wrote; of that the changes outside, as "OP KIND NAME MEMBER"
//	landbridge ARGS…                any other command, to its end, with --config where it has one
//
//	device members POOL             "web-1:8080 session=monitor-enabled state=up ratio=1", sorted;
//	                                with "draining" and "terminating" as the description says
//	device virtuals                 "/web/x 203.0.113.10:80 tcp enabled pool=/web/x", sorted
//	device standing                 all virtual servers, pools, members, nodes, virtual addresses, and what
//	                                these refer to, but for what comes with one
//	device foreign [-content]       all of them without an owner tag, as JSON; -content: but for what counts changes, and what monitors found
//	device snapshot KIND PATH       one object as JSON
//	device do METHOD PATH [FILE]    a call by somebody else; PATH is below /mgmt/tm
//	device mark                     begin to count writes, once none has come for a moment
//	device writes N[-M]             wait for N writes since the mark, and that there is none more; or some more, up
//	                                to M: what is changed at once may be put into a transaction, which takes two
//	device settle                   wait until what was under way has come: no write for a second
//	device quiet DURATION           no write comes for so long
//	device down|up|silent           its management address: refuses, serves, does not answer
//	device fault RULE               put a fault in force, as package fault writes them: do=busy,method=write,count=3
//	device mend                     take all faults out again
//
//	cluster NAME                    from here on, the commands above are about another cluster in front of the
//	                                same device, or "test" again, the first. A new one gets a control plane,
//	                                a namespace shop, and a folder NAME, in which its commands run
//
//	vm start|stop NAME…             a service on a machine that is no pod, at $VM1 for vm-1 and so on, port 8080
//	vm apart NAME…                  has it, before it is started, be in a network namespace of its own
//	vm cut|mend NAME…               such a machine cannot reach the broker, or can again
//
//	agent start NAME FILE [VM]      a landbridge agent with that configuration, on a VM that was set apart
//	agent stop|kill|pause|resume|log NAME
//	agent end|await NAME            tell it to end, wait until it has
//	agent file FILE                 what an agent has written
//
//	client get [-n N] URL           N requests, by pod: "web-1 10"; "failed: refused 2"
//	client udp [-n N] ADDRESS       the same with datagrams
//	client connect NAME URL         open a connection and keep it; prints the pod
//	client ask NAME                 ask again over that connection
//	client close NAME               close it
//	client load URL                 ask every 5 ms in the background
//	client unload                   stop that; a single failed request fails the script
//
//	broker start                    a RabbitMQ of the script's own, at $MQ and $MQ_MANAGEMENT; it takes ten seconds
//	broker user NAME                a user for VMs, with credentials in the folder NAME
//	broker queue|classic NAME       make a quorum queue, or a classic one
//	broker delete NAME              remove a queue
//	broker hold QUEUE NAME          consume from the address of a pod or a VM (vm-1), and acknowledge nothing
//	broker leave NAME               end that
//	broker send QUEUE PREFIX N      that many messages with the ids PREFIX-0 and up, as a VM sends them
//	broker queues                   "orders.work ready=1 unacked=0 consumers=2"
//	broker kill|restart
//	gateway start|stop|kill|log|metrics [NAME]
//	queue SERVICE                   as condition, of the condition of its queue
//	token ACCOUNT FILE              a token of shop's ServiceAccount for the gateway
//	post GATEWAY FILE PATH BODY     to its API with that token; prints the status and the answer
//	router start NAME [-add-paths] [-restart SECONDS] [-key KEY]  a BIRD, tor-a or tor-b, that waits to be called
//	router paths NAME               "203.0.113.10/32 via node-a path 64512", sorted
//	router removed NAME             what it has ever taken away, as it tells itself
//	router session NAME speaker0    how its session with the first controller stands
//	router do NAME COMMAND          a command of BIRD's own
//	router pause|resume|kill NAME   SIGSTOP, SIGCONT, SIGKILL
//
//	collector start                 a receiver of traces: controllers that start from here on send to it
//	collector traces SERVICE        those of a Service, NAMESPACE/NAME, a line a span
//	collector hang|answer           it answers nothing, or again
//
//	eventually [-for DURATION] PATTERN COMMAND…  repeat until the output matches (20s)
//	eventually -not PATTERN COMMAND…             … until it does not match
//	eventually -fails COMMAND…                   … until the command fails
package testenv_test

import (
	"context"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"landbridge.dev/testenv/collector"
	"landbridge.dev/testenv/netns"
	"landbridge.dev/testenv/world"
)

// parallel is how many scripts run at once unless -parallel says otherwise.
// They wait more than they work: on two cores four of them take the least time.
const parallel = "4"

func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", parallel); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	netns.Main(m, netns.Options{Prepare: func(ctx context.Context) error {
		return world.Prepare(ctx, os.Stderr)
	}})
}

func TestScripts(t *testing.T) {
	t.Parallel()
	used := watchRights(t)
	testscript.Run(t, testscript.Params{
		Dir:                scripts,
		Setup:              func(env *testscript.Env) error { return setUp(t.Context(), env, used) },
		Cmds:               commands(),
		RequireUniqueNames: true,
	})
}

// scripts is where the scripts are.
var scripts = filepath.Join("testdata", "script")

// commandTimeout bounds what a command of a script waits for, unless it says
// for how long itself.
const commandTimeout = 3 * time.Minute

// script is the state of one running script.
type script struct {
	ctx   context.Context
	world *world.World // of the cluster that commands are about
	all   map[string]*world.World
	mark  int // writes before those that count
	conns map[string]*world.Conn
	load  *world.Load

	collector *collector.Collector // nil until it is started
}

// scriptKey is what a script's state is kept under.
type scriptKey struct{}

func setUp(ctx context.Context, env *testscript.Env, used *rightsUsed) error {
	flags, collect := used.log(strings.TrimPrefix(filepath.Base(env.WorkDir), "script-"))
	w, err := world.Start(ctx, world.Options{Dir: env.WorkDir, APIServerFlags: flags})
	if err != nil {
		return err
	}
	s := &script{ctx: ctx, world: w, all: map[string]*world.World{firstCluster: w}, conns: map[string]*world.Conn{}}
	env.Defer(func() {
		if s.load != nil {
			s.load.Stop()
		}
		if s.collector != nil {
			defer s.collector.Close()
		}
		for _, c := range s.conns {
			c.Close()
		}
		delete(s.all, firstCluster) // last, for it has the device
		for _, w := range append(slices.Collect(maps.Values(s.all)), w) {
			if err := w.Stop(); err != nil {
				fmt.Fprintln(os.Stderr, "stopping a world:", err)
			}
		}
		collect()
	})
	for name, value := range w.Vars() {
		if name != "DIR" && name != "CLUSTER" {
			env.Setenv(name, value)
		}
	}
	env.Values[scriptKey{}] = s
	return furnish(ctx, w)
}

// furnish readies a world for a script: its files, and the namespace.
func furnish(ctx context.Context, w *world.World) error {
	if err := expandFiles(w, w.Dir()); err != nil {
		return err
	}
	return w.Kube.Apply(ctx, []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"))
}

// expandFiles replaces the world's variables in the script's YAML and JSON.
func expandFiles(w *world.World, dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, name := range files {
		if ext := filepath.Ext(name); !slices.Contains([]string{".yaml", ".json", ".txt", ".tmpl"}, ext) {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, []byte(w.Expand(string(text))), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// command is a command of the scripts' language. An error is a failure that
// "!" can ask for.
type command func(ctx context.Context, s *script, args []string) (world.Output, error)

// language are all commands but eventually, which repeats them.
func language() map[string]command {
	return map[string]command{
		"kubectl":    kubectl,
		"pods":       pods,
		"node":       node,
		"apiserver":  apiserver,
		"manager":    manager,
		"cluster":    cluster,
		"inquiries":  inquiries,
		"condition":  condition,
		"address":    address,
		"gates":      gates,
		"allow":      allow,
		"approve":    approve,
		"landbridge": landbridge,
		"device":     device,
		"vm":         vm,
		"agent":      agent,
		"client":     client,
		"broker":     brokerCommand,
		"gateway":    gateway,
		"token":      token,
		"post":       post,
		"queue":      queueCondition,
		"router":     routerCommand,
		"collector":  collectorCommand,
	}
}

// commands are the language in the form that testscript takes.
func commands() map[string]func(*testscript.TestScript, bool, []string) {
	all := language()
	all["eventually"] = eventually
	cmds := map[string]func(*testscript.TestScript, bool, []string){}
	for name, run := range all {
		cmds[name] = func(ts *testscript.TestScript, neg bool, args []string) {
			s := ts.Value(scriptKey{}).(*script)
			ctx, cancel := context.WithTimeout(s.ctx, commandTimeout)
			defer cancel()
			out, err := run(ctx, s, args)
			fmt.Fprint(ts.Stdout(), out.Stdout)
			fmt.Fprint(ts.Stderr(), out.Stderr)
			switch {
			case err != nil && !neg:
				ts.Fatalf("%s: %v\n%s%s", name, err, out.Stdout, out.Stderr)
			case err == nil && neg:
				ts.Fatalf("%s succeeded\n%s", name, out.Stdout)
			}
		}
	}
	return cmds
}

// usage is the error of a command that was not understood.
func usage(args []string) error { return fmt.Errorf("unknown command: %q", strings.Join(args, " ")) }

// lines is an output of lines.
func lines(l []string) world.Output {
	if len(l) == 0 {
		return world.Output{}
	}
	return world.Output{Stdout: strings.Join(l, "\n") + "\n"}
}
