// Command landbridge keeps F5 BIG-IP devices in step with Kubernetes.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// plugin is the name under which kubectl finds the program, as `kubectl
// landbridge`.
const plugin = "kubectl-landbridge"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := execute(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// execute is a whole run of the program, and its exit code.
func execute(ctx context.Context, args []string) int {
	root := newRoot()
	if filepath.Base(os.Args[0]) == plugin {
		root.Annotations = map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl landbridge"}
		asPlugin(root)
	}
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var exit exitCode
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return int(exit)
	}
	fmt.Fprintln(os.Stderr, "landbridge:", err)
	return 1
}

// asPlugin has the examples of commands say what is typed by its users.
func asPlugin(cmd *cobra.Command) {
	cmd.Example = strings.ReplaceAll(cmd.Example, "  landbridge ", "  kubectl landbridge ")
	for _, sub := range cmd.Commands() {
		asPlugin(sub)
	}
}

// exitCode ends the program with a code and without a message.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }
