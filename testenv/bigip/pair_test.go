package bigip_test

import (
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/fault"
)

func pair(t *testing.T, o bigip.Options, p bigip.PairOptions) *bigip.Pair {
	t.Helper()
	pr, err := bigip.NewPair(o, o, p)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pr.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return pr
}

// entry reads one row of a single statistic, such as cm/sync-status.
func entry(t *testing.T, d *bigip.Device, path, row string) string {
	t.Helper()
	answer := must(t, d, "GET", path, nil)
	for _, e := range answer["entries"].(map[string]any) {
		rows := e.(map[string]any)["nestedStats"].(map[string]any)["entries"].(map[string]any)
		return fmt.Sprint(rows[row].(map[string]any)["description"])
	}
	return ""
}

func TestPairManualSync(t *testing.T) {
	t.Parallel()
	var synced []*bigip.Device
	p := pair(t, bigip.Options{Partitions: []string{"web"}}, bigip.PairOptions{
		Group: "dg", Synced: func(from, to *bigip.Device) { synced = append(synced, from, to) },
	})
	status := func(d *bigip.Device) string { return entry(t, d, "/mgmt/tm/cm/sync-status", "status") }
	if got := status(p.A); got != "In Sync" {
		t.Errorf("at the start: %s", got)
	}
	must(t, p.A, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/p"})
	if a, b := status(p.A), status(p.B); a != "Changes Pending" || b != "Changes Pending" {
		t.Errorf("after a change: %s, %s", a, b)
	}
	if _, ok := p.B.Object("ltm/pool", "/web/p"); ok {
		t.Error("the peer has the change without a sync")
	}
	refused(t, p.A, "POST", "/mgmt/tm/cm", m{"command": "run", "utilCmdArgs": "config-sync to-group nope"}, 400, "Device group (nope) not found in device group sync")
	must(t, p.A, "POST", "/mgmt/tm/cm", m{"command": "run", "utilCmdArgs": "config-sync to-group dg"})
	if _, ok := p.B.Object("ltm/pool", "/web/p"); !ok || status(p.A) != "In Sync" {
		t.Errorf("after the sync: %v, %s", ok, status(p.A))
	}
	if len(synced) != 2 || synced[0] != p.A || synced[1] != p.B {
		t.Errorf("told of the syncs %v", synced)
	}
	must(t, p.B, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/on-standby"})
	if p.InSync() {
		t.Error("a standby's change does not count")
	}
}

func TestPairAutoSync(t *testing.T) {
	t.Parallel()
	p := pair(t, bigip.Options{Partitions: []string{"web"}}, bigip.PairOptions{AutoSync: true})
	must(t, p.A, "POST", "/mgmt/tm/ltm/pool", m{"name": "/web/p", "members": []any{m{"name": "/web/10.0.0.1:80"}}})
	eventually(t, "the peer has the pool", func() bool {
		_, ok := p.B.Object("ltm/pool/members", "/web/p /web/10.0.0.1:80")
		return ok
	})
	must(t, p.A, "DELETE", "/mgmt/tm/ltm/pool/~web~p", nil)
	eventually(t, "and loses it", func() bool {
		_, ok := p.B.Object("ltm/pool", "/web/p")
		return !ok && p.InSync()
	})
}

func TestFailover(t *testing.T) {
	t.Parallel()
	p := pair(t, bigip.Options{DataPlane: true, Partitions: []string{"web"}}, bigip.PairOptions{Group: "dg"})
	vip, a := freePort(t), backend(t, "a")
	must(t, p.A, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "members": []any{m{"name": a}}})
	must(t, p.A, "POST", "/mgmt/tm/ltm/virtual", m{"name": "v", "destination": vip, "ipProtocol": "tcp", "pool": "p"})
	must(t, p.A, "POST", "/mgmt/tm/cm", m{"command": "run", "utilCmdArgs": "config-sync to-group dg"})
	if got := once(t, vip); got != "a" {
		t.Errorf("through the first unit: %q", got)
	}
	must(t, p.A, "POST", "/mgmt/tm/sys/failover", m{"command": "run", "standby": true})
	if p.A.FailoverState() != "standby" || p.Active() != p.B {
		t.Errorf("after failover: %s, %s", p.A.FailoverState(), p.B.FailoverState())
	}
	if got := entry(t, p.A, "/mgmt/tm/cm/failover-status", "status"); got != "STANDBY" {
		t.Errorf("failover-status: %s", got)
	}
	dev := must(t, p.A, "GET", "/mgmt/tm/cm/device/~Common~bigip02.lab.local", nil)
	if dev["failoverState"] != "active" || dev["selfDevice"] != "false" {
		t.Errorf("the peer as the first unit sees it: %v %v", dev["failoverState"], dev["selfDevice"])
	}
	if got := once(t, vip); got != "a" {
		t.Errorf("through the second unit: %q", got)
	}
	if got := connectionsTotal(t, p.B); got != 1 {
		t.Errorf("the second unit carried %d connections", got)
	}
}

// A failover refuses nobody: who knocks meanwhile is let in by the other unit,
// and only what the first one had taken is cut.
func TestFailoverRefusesNobody(t *testing.T) {
	t.Parallel()
	p := pair(t, bigip.Options{DataPlane: true}, bigip.PairOptions{AutoSync: true})
	vip, a := freePort(t), backend(t, "a")
	must(t, p.A, "POST", "/mgmt/tm/ltm/pool", m{"name": "p", "members": []any{m{"name": a}}})
	must(t, p.A, "POST", "/mgmt/tm/ltm/virtual", m{"name": "v", "destination": vip, "ipProtocol": "tcp", "pool": "p"})
	eventually(t, "the pair is in sync", p.InSync)
	kept, err := net.Dial("tcp", vip)
	if err != nil {
		t.Fatal(err)
	}
	defer kept.Close()
	if _, err := ask(kept); err != nil {
		t.Fatal(err)
	}
	stop, failed := make(chan struct{}), make(chan error, 4)
	var clients sync.WaitGroup
	for range cap(failed) {
		clients.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				c, err := net.Dial("tcp", vip)
				if err != nil {
					failed <- err
					return
				}
				c.Close()
			}
		})
	}
	for range 20 {
		p.Failover()
	}
	close(stop)
	clients.Wait()
	close(failed)
	for err := range failed {
		t.Errorf("a client was not let in: %v", err)
	}
	if _, err := ask(kept); err == nil {
		t.Error("a connection outlived the failover, which the other unit knows nothing of")
	}
	if got := once(t, vip); got != "a" {
		t.Errorf("afterwards: %q", got)
	}
}

func connectionsTotal(t *testing.T, d *bigip.Device) int64 {
	t.Helper()
	answer := must(t, d, "GET", "/mgmt/tm/ltm/virtual/~Common~v/stats", nil)
	for _, e := range answer["entries"].(map[string]any) {
		rows := e.(map[string]any)["nestedStats"].(map[string]any)["entries"].(map[string]any)
		n, _ := rows["clientside.totConns"].(map[string]any)["value"].(int64)
		return n
	}
	return -1
}

// A unit that comes back with an older configuration than its peer's is
// behind, and not ahead.
func TestPairReboot(t *testing.T) {
	t.Parallel()
	for _, auto := range []bool{false, true} {
		p := pair(t, bigip.Options{}, bigip.PairOptions{Group: "dg", AutoSync: auto})
		must(t, p.A, "POST", "/mgmt/tm/ltm/pool", m{"name": "p"})
		must(t, p.A, "POST", "/mgmt/tm/cm", m{"command": "run", "utilCmdArgs": "config-sync to-group dg"})
		p.A.Reboot() // which was never saved
		if auto {
			eventually(t, "the peer's configuration is back", func() bool {
				_, ok := p.A.Object("ltm/pool", "/Common/p")
				return ok
			})
			continue
		}
		details := fmt.Sprint(must(t, p.B, "GET", "/mgmt/tm/cm/sync-status", nil))
		if !strings.Contains(details, "Synchronize bigip02.lab.local to group dg") || p.InSync() {
			t.Errorf("after the reboot of the first unit: %s", details)
		}
		must(t, p.A, "POST", "/mgmt/tm/ltm/pool", m{"name": "later"})
		if details := fmt.Sprint(must(t, p.B, "GET", "/mgmt/tm/cm/sync-status", nil)); !strings.Contains(details, "Synchronize bigip01.lab.local to group dg") {
			t.Errorf("after a change of the first unit: %s", details)
		}
	}
}

func TestReboot(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "saved"})
	must(t, d, "POST", "/mgmt/tm/sys/config", m{"command": "save"})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "running"})
	d.Reboot()
	if got := d.Objects("ltm/pool", ""); len(got) != 1 || got[0] != "/Common/saved" {
		t.Errorf("after a reboot: %v", got)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, rule string
		status     int
		message    string
		effect     bool // the call changed the configuration nevertheless
	}{
		{name: "mcpd is away", rule: "do=mcpd-lost,method=POST", status: 500, message: "The connection to mcpd has been lost, try again."},
		{name: "the REST daemon starts", rule: "do=starting", status: 404, message: "Public URI path not registered: /tm/ltm/pool"},
		{name: "a task is running", rule: "do=busy,method=write", status: 503, message: "active asynchronous task"},
		{name: "a page instead of an answer", rule: "do=html,path=/mgmt/tm/*", status: 503},
		{name: "a status of one's own", rule: "do=status,status=500,body={\"code\":500,\"message\":\"a, b\"}", status: 500, message: "a, b"},
		{name: "cut before the effect", rule: "do=cut-before", status: 0},
		{name: "cut after the effect", rule: "do=cut-after", status: 0, effect: true},
		{name: "an answer that came too late", rule: "do=async-timeout", status: 500, effect: true},
		{name: "only slow", rule: "delay=1ms", status: 200, effect: true},
		{name: "another path", rule: "do=busy,path=/mgmt/tm/ltm/node", status: 200, effect: true},
		{name: "another user", rule: "do=busy,user=bob", status: 200, effect: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, err := fault.Parse(c.rule)
			if err != nil {
				t.Fatal(err)
			}
			d := device(t, bigip.Options{Faults: []fault.Rule{r}})
			status, answer := d.Do("POST", "/mgmt/tm/ltm/pool", m{"name": "p"})
			if text, _ := answer["message"].(string); status != c.status || c.message != "" && !strings.Contains(text, c.message) {
				t.Errorf("got %d %q, want %d %q", status, text, c.status, c.message)
			}
			if _, ok := d.Object("ltm/pool", "/Common/p"); ok != c.effect {
				t.Errorf("effect: %v, want %v", ok, c.effect)
			}
			d.ClearFaults()
			if status, _ := d.Do("GET", "/mgmt/tm/ltm/pool", nil); status != 200 {
				t.Errorf("after the fault: %d", status)
			}
		})
	}
}

func TestFaultCounts(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{})
	remove, err := d.Fault(fault.Rule{Method: "GET", Do: fault.Busy, Skip: 1, Count: 2})
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for range 5 {
		status, _ := d.Do("GET", "/mgmt/tm/ltm/pool", nil)
		got = append(got, status)
	}
	if want := []int{200, 503, 503, 200, 200}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if n := remove(); n != 2 {
		t.Errorf("hits %d", n)
	}
	for _, bad := range []string{"do=fly", "count=x,do=busy", "do", "do=busy,colour=red"} {
		if _, err := fault.Parse(bad); err == nil {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestFailoverInCommit(t *testing.T) {
	t.Parallel()
	p := pair(t, bigip.Options{}, bigip.PairOptions{})
	tr := fmt.Sprint(must(t, p.A, "POST", "/mgmt/tm/transaction", m{})["transId"])
	send(t, p.A, "POST", "/mgmt/tm/ltm/pool", []byte(`{"name":"p"}`), tr)
	if _, err := p.A.Fault(fault.Rule{Method: http.MethodPatch, Path: "/mgmt/tm/transaction/", Do: fault.Failover}); err != nil {
		t.Fatal(err)
	}
	if status, _ := p.A.Do("PATCH", "/mgmt/tm/transaction/"+tr, m{"state": "VALIDATING"}); status != 0 {
		t.Errorf("the commit was answered: %d", status)
	}
	if p.Active() != p.B {
		t.Error("no failover")
	}
	if _, ok := p.A.Object("ltm/pool", "/Common/p"); ok {
		t.Error("the commit had an effect")
	}
}

func TestLatency(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{Latency: 5 * time.Millisecond, CommitLatency: 20 * time.Millisecond})
	begin := time.Now()
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "p"})
	if took := time.Since(begin); took < 25*time.Millisecond {
		t.Errorf("a change took %v", took)
	}
}
