package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"landbridge.dev/testenv/messages"
)

// newQueueVM is the process of a VM that consumes a queue: it writes the id of
// each message that it has worked off, and then acknowledges. Told to end, it
// takes nothing more, and finishes what it has.
func newQueueVM() *cobra.Command {
	var url, queue string
	cmd := &cobra.Command{
		Use: "queue-vm", Hidden: true, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return messages.Consume(cmd.Context(), url, queue, cmd.OutOrStdout())
		},
	}
	cmd.Flags().StringVar(&url, "url", "", "of the broker")
	cmd.Flags().StringVar(&queue, "queue", "", "that is consumed")
	return cmd
}

// queueVM is such a process, seen from the story.
type queueVM struct {
	name string
	done string // file of the ids that it has worked off
	cmd  *exec.Cmd
}

// startVM starts one; what it did before counts on.
func (o *orders) startVM(name string) error {
	n, err := o.world.Broker()
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	vm := &queueVM{name: name, done: filepath.Join(o.world.Dir(), name+".done")}
	out, err := os.OpenFile(vm.done, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	vm.cmd = exec.Command(exe, "queue-vm", "--url", n.URL(), "--queue", ordersQueue)
	vm.cmd.Stdout, vm.cmd.Stderr = out, os.Stderr
	if err := vm.cmd.Start(); err != nil {
		return fmt.Errorf("VM %s: %w", name, err)
	}
	o.vms = append(o.vms, vm)
	return nil
}

// stop tells it to end, and waits until it has.
func (vm *queueVM) stop() error {
	if vm.cmd == nil {
		return nil
	}
	signalled := vm.cmd.Process.Signal(syscall.SIGTERM)
	err := vm.cmd.Wait()
	vm.cmd = nil
	if err = errors.Join(signalled, err); err != nil {
		return fmt.Errorf("VM %s: %w", vm.name, err)
	}
	return nil
}

// ids are what it has worked off.
func (vm *queueVM) ids() ([]string, error) {
	raw, err := os.ReadFile(vm.done)
	return strings.Fields(string(raw)), err
}
