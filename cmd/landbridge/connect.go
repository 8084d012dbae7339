package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"landbridge.dev/backends/f5"
	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
	"landbridge.dev/sync/watch"
)

// The limits of our own requests to the API server. client-go's default of 5 a
// second would delay a burst of Services by minutes.
const (
	kubeQPS   = 200
	kubeBurst = 400
)

// restConfig is how the API server is reached.
func (c *common) restConfig() (*rest.Config, error) {
	kube, err := c.clientConfig().ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	kube.QPS, kube.Burst = kubeQPS, kubeBurst
	kube.UserAgent = "landbridge/" + version
	return kube, nil
}

// clients are the ways to the API server: to write, to watch, and to watch what
// has no types here.
type clients struct {
	kubernetes.Interface
	reader  kubernetes.Interface
	untyped dynamic.Interface
}

// clients reaches the API server for as long as the process runs.
func (c *common) clients() (clients, error) {
	kube, err := c.restConfig()
	if err != nil {
		return clients{}, err
	}
	client, err := kubernetes.NewForConfig(kube)
	if err != nil {
		return clients{}, fmt.Errorf("kubernetes: %w", err)
	}
	kube.Wrap(watch.Patient)
	reader, err := kubernetes.NewForConfig(kube)
	if err != nil {
		return clients{}, fmt.Errorf("kubernetes: %w", err)
	}
	untyped, err := dynamic.NewForConfig(kube)
	if err != nil {
		return clients{}, fmt.Errorf("kubernetes: %w", err)
	}
	return clients{client, reader, untyped}, nil
}

// identify finds out who this installation is.
func identify(ctx context.Context, client kubernetes.Interface, c *config.Config) (state.Identity, error) {
	uid, err := watch.ClusterUID(ctx, client)
	if err != nil {
		return state.Identity{}, err
	}
	return state.Identity{Cluster: c.Cluster, UID: uid, Former: c.FormerUIDs, FormerClusters: c.FormerClusters}, nil
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

// device is one configured BIG-IP as a backend; with staticRoutes those for pod
// networks are known.
func device(b config.BIGIP, identity state.Identity, staticRoutes bool, log *zap.Logger, metrics *f5.Metrics, shown *certificates) (*f5.Backend, error) {
	options := deviceOptions(b, identity, log, metrics, shown)
	options.StaticRoutes = staticRoutes
	backend, err := f5.New(options)
	if err != nil {
		return nil, fmt.Errorf("bigip %s: %w", b.Name, err)
	}
	return backend, nil
}

func deviceOptions(b config.BIGIP, identity state.Identity, log *zap.Logger, metrics *f5.Metrics, shown *certificates) f5.Options {
	return f5.Options{
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
		Presented:          shown.of(translate.BackendOf(b.Name)),
		Log:                log,
		Metrics:            metrics,
	}
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

// logoutTimeout bounds how long the end waits for devices to take tokens back.
const logoutTimeout = 5 * time.Second

// devices are all configured BIG-IPs. close logs out of them.
func devices(c *config.Config, identity state.Identity, log *zap.Logger, metrics *f5.Metrics, shown *certificates) (backends []reconcile.Backend, closeAll func(), err error) {
	var opened []*f5.Backend
	closeAll = func() {
		ctx, cancel := context.WithTimeout(context.Background(), logoutTimeout)
		defer cancel()
		for _, b := range opened {
			if err := b.Close(ctx); err != nil {
				log.Warn("logging out", zap.String("backend", b.Name()), zap.Error(err))
			}
		}
	}
	for _, b := range c.BIGIP {
		backend, err := device(b, identity, c.BGP != nil, log, metrics, shown)
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
