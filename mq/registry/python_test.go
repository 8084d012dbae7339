package registry_test

import (
	"bufio"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// The example of docs/vms.md registers, is told of endpoints, and leaves.
func TestPythonExample(t *testing.T) {
	t.Parallel()
	o := open(t)
	o.await()
	till := state.Ref{Namespace: "shop", Name: "till"}
	told := func(address string) *state.Announcement {
		at := state.Address{IP: netip.MustParseAddr(address)}
		return &state.Announcement{Service: till, Ports: []state.AnnouncedPort{{
			RegistryPort: state.RegistryPort{Name: "http", Protocol: state.TCP, Number: 80},
			Endpoints:    []state.AnnouncedEndpoint{{Endpoint: state.Endpoint{Address: at, Port: 8080}, Ready: true}},
		}}}
	}
	o.announce.Announce(till, told("10.244.1.5"), false)
	url := strings.Replace(node.URL(), "amqp://", "amqp://orders-vm-"+o.Vhost+":"+strings.ReplaceAll(strings.ReplaceAll(password, " ", "%20"), "'", "%27")+"@", 1) + "/" + o.Vhost
	cmd := exec.Command("/usr/bin/python3", "../../docs/examples/vm.py", url, scene.Cluster, "shop/orders", "vm-py", "10.20.0.50", "8080", "shop/till")
	out, err := cmd.StdoutPipe()
	o.Must(err)
	var errs strings.Builder
	cmd.Stderr = &errs
	o.Must(cmd.Start())
	lines := make(chan string, 64)
	go func() {
		defer close(lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			lines <- s.Text()
		}
	}()
	t.Cleanup(func() { _ = cmd.Process.Kill() }) // it may have ended
	await := func(want string) {
		t.Helper()
		for line := range lines {
			if line == want {
				return
			}
		}
		t.Fatalf("it ended without %q: %s", want, errs.String())
	}
	await("shop/till 10.244.1.5:8080")
	o.Eventually("it is registered", func() bool { c, there := o.vms()["vm-py"]; return there && c == state.VMReady })
	o.announce.Announce(till, told("10.244.1.6"), false)
	await("shop/till 10.244.1.6:8080")
	o.announce.Announce(till, nil, false)
	await("shop/till gone")
	o.Must(cmd.Process.Signal(syscall.SIGTERM))
	o.Eventually("it has left", func() bool { return len(o.vms()) == 0 })
	for range lines { // to its end
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v: %s", err, errs.String())
	}
}
