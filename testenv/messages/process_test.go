package messages_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"go.uber.org/zap"

	"landbridge.dev/config"
	mqbroker "landbridge.dev/mq/broker"
	"landbridge.dev/mq/dispatch"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/broker/scene"
)

// processSpec is the variable that makes of the test's binary a gateway.
const processSpec = "LANDBRIDGE_TEST_GATEWAY"

// spec is what such a gateway has to know.
type spec struct {
	MQ        config.MQ
	Consumers []*state.QueueConsumer
	Replica   string
}

// newDispatcher is the part of a replica that delivers.
func (s spec) newDispatcher(hub *mqbroker.Hub) *dispatch.Dispatcher {
	d := dispatch.New(dispatch.Options{Hub: hub, Names: mqbroker.Names{Cluster: scene.Cluster}, Replica: s.Replica, Grace: grace, Log: zap.NewNop()})
	for _, c := range s.Consumers {
		d.Set(c.Service, c)
	}
	return d
}

func (s spec) newHub() *mqbroker.Hub {
	return mqbroker.NewHub(mqbroker.NewDialer(s.MQ, "landbridge test gateway "+s.Replica), zap.NewNop(), nil)
}

// runProcess is a gateway that lasts until it is killed.
func runProcess(raw string) {
	var s spec
	if err := json.Unmarshal([]byte(raw), &s); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	hub := s.newHub()
	d := s.newDispatcher(hub)
	go func() { _ = hub.Run(context.Background()) }()
	_ = d.Run(context.Background())
}

// spec is that of a new replica.
func (w *world) spec() spec {
	return spec{MQ: w.MQ, Consumers: w.consumers(), Replica: fmt.Sprintf("r%d", w.names.Add(1))}
}

// process is a replica that is a process of its own.
type process struct {
	replica string
	cmd     *exec.Cmd
}

// startProcess starts a replica that is a process of its own.
func (w *world) startProcess() error {
	spec := w.spec()
	raw, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), processSpec+"="+string(raw))
	cmd.Stderr = os.Stderr
	w.process = &process{spec.Replica, cmd}
	return cmd.Start()
}

// kill ends it at once, with all that its pods have. An error is that it had
// ended by itself.
func (p *process) kill() error {
	if p == nil || p.cmd.ProcessState != nil {
		return nil
	}
	_ = p.cmd.Process.Kill() // it may have ended
	_ = p.cmd.Wait()         // killed, which is an error
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		return fmt.Errorf("gateway %s was not killed: %s", p.replica, p.cmd.ProcessState)
	}
	return nil
}
