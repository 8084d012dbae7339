// Command landbridge-lab is a prod-like environment on one machine: it plays
// landbridge's main job in front of the user, or leaves the environment running
// to look around in. All of it is in namespaces of its own.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"landbridge.dev/testenv/node"
)

func main() {
	node.Init()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// execute is a whole run of the program, and its exit code.
func execute(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintln(os.Stderr, "landbridge-lab:", err)
	return 1
}

// exitCode ends the program with a code and without a message.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "landbridge-lab",
		Short: "A prod-like environment for Landbridge on one machine",
		Long: "The lab is a small company: a real Kubernetes API with nodes, a pair of simulated\n" +
			"BIG-IPs that carry traffic to VMs and pods, and Landbridge as its users run it. It\n" +
			"runs in namespaces of its own and leaves nothing behind.",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newBuild(), newStory(), newE2E(), newUp(), newExec(), newDown(), newServe(), newImage(), newDeb(), newBIGIP(), newQueueVM(), newServiceVM(), newBench())
	return root
}
