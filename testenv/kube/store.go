package kube

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// EmptyStore kills the control plane, takes all of etcd's data away, and starts
// it again at the same addresses: a cluster that has lost everything
// that it knew, and has another UID than before. Certificates go on being
// good; the tokens of ServiceAccounts are not, since those are gone. The nodes
// of Options are not registered again.
func (cp *ControlPlane) EmptyStore(ctx context.Context) error {
	if err := cp.startEmpty(ctx); err != nil {
		return fmt.Errorf("emptying the store: %w", err)
	}
	return cp.awaitServiceAccount(ctx, metav1.NamespaceDefault)
}

func (cp *ControlPlane) startEmpty(ctx context.Context) (err error) {
	cp.mu.Lock()
	defer cp.mu.Unlock()
	if cp.stopped {
		return errors.New("the control plane was stopped")
	}
	if err := errors.Join(cp.manager.kill(), cp.apiServer.kill(), cp.etcd.kill()); err != nil {
		return err
	}
	if cp.scheduler != nil {
		if err := cp.scheduler.kill(); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(filepath.Join(cp.dir, etcdDir)); err != nil {
		return err
	}
	return cp.startProcesses(ctx)
}
