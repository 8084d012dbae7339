package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// The limits of our own requests to the API server. client-go's default of 5 a
// second would delay a burst of Services by minutes.
const (
	kubeQPS   = 200
	kubeBurst = 400
)

// restConfig is how the API server is reached.
func (c *common) restConfig() (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	rules.ExplicitPath = c.kubeconfig
	kube, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	kube.QPS, kube.Burst = kubeQPS, kubeBurst
	kube.UserAgent = "landbridge/" + version
	return kube, nil
}

// identify finds out who this installation is.
func identify(ctx context.Context, client kubernetes.Interface, c *config.Config) (state.Identity, error) {
	ns, err := client.CoreV1().Namespaces().Get(ctx, metav1.NamespaceSystem, metav1.GetOptions{})
	if err != nil {
		return state.Identity{}, fmt.Errorf("namespace %s, whose UID identifies the cluster: %w", metav1.NamespaceSystem, err)
	}
	if len(ns.UID) < 8 {
		return state.Identity{}, fmt.Errorf("namespace %s has the UID %q, which is too short", metav1.NamespaceSystem, ns.UID)
	}
	return state.Identity{Cluster: c.Cluster, UID: string(ns.UID)[:8], Former: c.FormerUIDs}, nil
}

// awaitIdentity asks until the API server answers.
func awaitIdentity(ctx context.Context, client kubernetes.Interface, c *config.Config, log *zap.Logger) (identity state.Identity, err error) {
	err = wait.PollUntilContextCancel(ctx, time.Second, true, func(ctx context.Context) (bool, error) {
		identity, err = identify(ctx, client, c)
		if err != nil {
			log.Warn("waiting for the API server", zap.Error(err))
		}
		return err == nil, nil
	})
	return identity, err
}

// device is one configured BIG-IP as a backend.
func device(b config.BIGIP, identity state.Identity, log *zap.Logger, metrics *f5.Metrics) (*f5.Backend, error) {
	backend, err := f5.New(f5.Options{
		Name: translate.BackendOf(b.Name), Hosts: b.Hosts,
		Credentials:        credentials(b.CredentialsDir),
		CAFile:             b.CAFile,
		InsecureSkipVerify: b.InsecureSkipVerify,
		LoginProvider:      b.LoginProvider,
		NodePartition:      b.NodePartition,
		SaveConfig:         time.Duration(b.SaveConfig),
		ConfigSync:         b.ConfigSync,
		Identity:           identity,
		MaxConcurrentCalls: b.MaxConcurrentCalls,
		Log:                log,
		Metrics:            metrics,
	})
	if err != nil {
		return nil, fmt.Errorf("bigip %s: %w", b.Name, err)
	}
	return backend, nil
}

// credentials reads the files of a mounted Secret, anew at each login.
func credentials(dir string) func() (user, password string, err error) {
	return func() (string, string, error) {
		user, err := secret(dir, "username")
		if err != nil {
			return "", "", err
		}
		password, err := secret(dir, "password")
		return user, password, err
	}
}

func secret(dir, name string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "", fmt.Errorf("credentials: %w", err)
	}
	return strings.TrimRight(string(raw), "\r\n"), nil
}

// devices are all configured BIG-IPs. close logs out of them.
func devices(c *config.Config, identity state.Identity, log *zap.Logger, metrics *f5.Metrics) (backends []reconcile.Backend, closeAll func(), err error) {
	var opened []*f5.Backend
	closeAll = func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		for _, b := range opened {
			if err := b.Close(ctx); err != nil {
				log.Warn("logging out", zap.String("backend", b.Name()), zap.Error(err))
			}
		}
	}
	for _, b := range c.BIGIP {
		backend, err := device(b, identity, log, metrics)
		if err != nil {
			closeAll()
			return nil, nil, err
		}
		opened = append(opened, backend)
		backends = append(backends, reconcile.Backend{
			Backend: backend, NodePartition: b.NodePartition, Concurrency: b.MaxConcurrentCalls, Resync: b.Resync(),
		})
	}
	return backends, closeAll, nil
}
