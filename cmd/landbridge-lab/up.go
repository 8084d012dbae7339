package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"landbridge.dev/testenv/world"
)

func newUp() *cobra.Command {
	nodes := 0
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Start the environment and leave it running, with a served Service and VM services to move",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			l, err := theLab()
			if err != nil {
				return err
			}
			return l.up(cmd.Context(), cmd.OutOrStdout(), nodes)
		},
	}
	realNodes(cmd, &nodes)
	return cmd
}

// maxNodes is how many real nodes this is for; a machine of two cores carries
// two or three.
const maxNodes = 9

// realNodes gives a command the flag for them.
func realNodes(cmd *cobra.Command, nodes *int) {
	cmd.Flags().IntVar(nodes, "nodes", 0, "have `N` real nodes (kubelet, containerd, kube-proxy; it takes root) run real pods; 0 plays two nodes and their pods")
}

// nodeNames are the names of n real nodes.
func nodeNames(n int) (names []string) {
	for i := range n {
		names = append(names, "node-"+string(rune('a'+i)))
	}
	return names
}

// up starts a process that keeps the lab up, and waits until it is ready.
func (l lab) up(ctx context.Context, out io.Writer, nodes int) error {
	if nodes < 0 || nodes > maxNodes {
		return fmt.Errorf("--nodes %d: it can be 0 to %d", nodes, maxNodes)
	}
	if r, err := l.current(); err == nil {
		fmt.Fprintf(out, "The lab is up already.\n\n%s", r.Landing)
		return nil
	}
	if up, err := l.running(); err != nil || up {
		return errors.Join(err, errors.New("the lab is starting or ending; look again in a moment, or end it with `landbridge-lab down`"))
	}
	prepare, what := world.Prepare, "two nodes"
	if nodes > 0 {
		prepare, what = world.PrepareNodes, fmt.Sprintf("real nodes (%d)", nodes)
	}
	if err := prepare(ctx, out); err != nil {
		return err
	}
	if err := os.RemoveAll(l.dir); err != nil { // of one that was killed
		return err
	}
	if err := os.MkdirAll(l.dir, 0o700); err != nil {
		return err
	}
	fmt.Fprintf(out, "starting a control plane with %s, a pair of BIG-IPs, and Landbridge …\n", what)
	began := time.Now()
	r, err := l.startHolder(ctx, nodes)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "The lab is up, after %.1f s.\n\n%s", time.Since(began).Seconds(), r.Landing)
	return nil
}

// startHolder starts the process that keeps the lab up, in a session of its
// own, so that no Ctrl-C and no closed terminal reaches it.
func (l lab) startHolder(ctx context.Context, nodes int) (record, error) {
	exe, err := os.Executable()
	if err != nil {
		return record{}, err
	}
	log, err := os.Create(l.log())
	if err != nil {
		return record{}, err
	}
	defer log.Close()
	cmd := exec.Command(exe, "serve", fmt.Sprintf("--nodes=%d", nodes))
	cmd.Env = append(os.Environ(), dirEnv+"="+l.dir)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return record{}, err
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = cmd.Wait() // cmd.ProcessState tells
	}()
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		var r record
		if err := l.readJSON(readyFile, &r); err == nil {
			return r, nil
		}
		select {
		case <-tick.C:
		case <-ended:
			said, err := os.ReadFile(l.log())
			return record{}, errors.Join(fmt.Errorf("the lab did not come up, %s:\n%s", cmd.ProcessState, said), err)
		case <-ctx.Done():
			_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
			<-ended
			return record{}, errors.Join(errors.New("the lab did not come up: interrupted"), os.RemoveAll(l.dir))
		}
	}
}
