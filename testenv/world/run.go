package world

import (
	"bytes"
	"context"
	"os"
	"os/exec"
)

// Output is what a program wrote.
type Output struct {
	Stdout, Stderr string
}

// Kubectl runs kubectl with the administrator's rights, in the folder of the
// world. An exit code other than 0 is an *exec.ExitError.
func (w *World) Kubectl(ctx context.Context, args ...string) (Output, error) {
	return w.run(ctx, w.Kube.Binaries().Kubectl, w.Kube.Kubeconfig(), args...)
}

// Landbridge runs a landbridge command to its end, with the rights of its
// ServiceAccount, in the folder of the world. An exit code other than 0 is an
// *exec.ExitError.
func (w *World) Landbridge(ctx context.Context, args ...string) (Output, error) {
	return w.run(ctx, w.binary, w.kubecfg, args...)
}

func (w *World) run(ctx context.Context, program, kubeconfig string, args ...string) (Output, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = w.dir
	cmd.Env = append(os.Environ(), "KUBECONFIG="+kubeconfig, "HOME="+w.dir)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	return Output{stdout.String(), stderr.String()}, err
}
