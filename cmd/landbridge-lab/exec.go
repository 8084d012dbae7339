package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"github.com/spf13/cobra"

	"landbridge.dev/testenv/netns"
)

func newExec() *cobra.Command {
	return &cobra.Command{
		Use:   "exec -- COMMAND [ARGUMENT…]",
		Short: "Run a command inside the running lab, with kubectl and landbridge at hand",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return errors.New("exec needs a command: landbridge-lab exec -- kubectl get services")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			l, err := theLab()
			if err != nil {
				return err
			}
			return l.exec(cmd.Context(), args)
		},
	}
}

// exec runs a command inside. Its exit code is this program's.
func (l lab) exec(ctx context.Context, args []string) error {
	r, err := l.current()
	if err != nil {
		return err
	}
	dir, err := os.Getwd()
	if err != nil {
		return err
	}
	// Signals of the terminal reach the command by themselves.
	cmd, err := netns.Command(context.WithoutCancel(ctx), r.Init, dir, args[0], args[1:]...)
	if err != nil {
		return err
	}
	cmd.Env = append(os.Environ(),
		"KUBECONFIG="+r.Inside.Kubeconfig,
		"PATH="+strings.Join(append(r.Inside.Path, os.Getenv("PATH")), ":"))
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() >= 0 {
		return exitCode(exit.ExitCode())
	}
	if err != nil {
		return fmt.Errorf("exec: %w", err)
	}
	return nil
}
