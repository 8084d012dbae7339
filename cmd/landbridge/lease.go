package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/pflag"
	"go.uber.org/zap"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"

	"landbridge.dev/sync/reconcile"
)

// leaseFlags say how replicas agree on the one that makes changes.
type leaseFlags struct {
	namespace, name        string
	duration, renew, retry time.Duration

	tenure tenure
}

// What is taken for the namespace of the Lease where --lease-namespace does not
// say it: by a controller, by a command that asks or tells one, and by one that
// asks which rights somebody has.
const (
	leaseOfPod     = "the pod's; it is needed outside of one"
	leaseOfRelease = "the pod's, or " + defaultNamespace
	leaseOfAsking  = "the pod's, or that of the ServiceAccount who asks"
)

// registerName registers the flags that say which Lease.
func (l *leaseFlags) registerName(f *pflag.FlagSet, otherwise string) {
	f.StringVar(&l.namespace, "lease-namespace", "", "namespace of the leader's Lease (default: "+otherwise+")")
	f.StringVar(&l.name, "lease-name", "landbridge", "name of the leader's Lease")
}

func (l *leaseFlags) register(f *pflag.FlagSet) {
	l.registerName(f, leaseOfPod)
	f.DurationVar(&l.duration, "lease-duration", 15*time.Second, "how long a standby waits for a silent leader")
	f.DurationVar(&l.renew, "lease-renew", 10*time.Second, "how long a leader tries to renew before it stops making changes")
	f.DurationVar(&l.retry, "lease-retry", 2*time.Second, "time between two tries")
}

// newReplica is a name for this process that no other has.
func newReplica() (string, error) {
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("lease: %w", err)
	}
	return host + "_" + uuid.NewString(), nil
}

// lead works for the lease until ctx ends, lets the reconciler act while it is
// held, and gives it up at the end. A lease that is lost, because another took
// it or the API server was away, stops changes and not the process: it stands
// by, warm, and works for the lease again.
// identity is this replica's.
func (l *leaseFlags) lead(ctx context.Context, client kubernetes.Interface, identity string, r *reconcile.Reconciler, d *duties, log *zap.Logger) error {
	namespace, err := l.leaseNamespace()
	if err != nil {
		return err
	}
	lock := &resourcelock.LeaseLock{
		LeaseMeta:  metav1.ObjectMeta{Namespace: namespace, Name: l.name},
		Client:     client.CoordinationV1(),
		LockConfig: resourcelock.ResourceLockConfig{Identity: identity},
	}
	timed := &timedLock{LeaseLock: lock, tenure: &l.tenure, duration: l.duration.Truncate(time.Second)} // as it stands on the Lease
	for ctx.Err() == nil {
		elector, err := leaderelection.NewLeaderElector(leaderelection.LeaderElectionConfig{
			Lock:          timed,
			LeaseDuration: l.duration, RenewDeadline: l.renew, RetryPeriod: l.retry,
			// Not client-go's ReleaseOnCancel: when a lease cannot be
			// renewed it tries to give it back, for as long again, before
			// it says that it is lost.
			Callbacks: callbacks(identity, r, d, func(ctx context.Context) int64 { return termOf(ctx, lock, l.retry) }, log),
		})
		if err != nil {
			return fmt.Errorf("lease flags: %w", err)
		}
		elector.Run(ctx)
	}
	l.giveBack(lock, identity, log)
	return nil
}

// giveBack lets another take the lease at once. Whoever calls has ended all
// changes before.
func (l *leaseFlags) giveBack(lock *resourcelock.LeaseLock, identity string, log *zap.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), l.retry)
	defer cancel()
	held, _, err := lock.Get(ctx)
	if err != nil || held.HolderIdentity != identity {
		return // another's by now, or out of reach: it runs out by itself
	}
	now := metav1.Now()
	err = lock.Update(ctx, resourcelock.LeaderElectionRecord{
		LeaseDurationSeconds: 1, AcquireTime: now, RenewTime: now, LeaderTransitions: held.LeaderTransitions,
	})
	if err != nil {
		log.Warn("giving the lease back", zap.Error(err))
	}
}

// callbacks tell the reconciler what becomes of the lease.
func callbacks(identity string, r *reconcile.Reconciler, d *duties, term func(context.Context) int64, log *zap.Logger) leaderelection.LeaderCallbacks {
	return leaderelection.LeaderCallbacks{
		OnStartedLeading: func(ctx context.Context) {
			log.Info("leading", zap.String("identity", identity))
			r.Lead(ctx)
			if len(d.all) > 0 {
				d.begin(ctx, term(ctx))
			}
		},
		OnStoppedLeading: func() {
			r.Follow()
			d.end()
			log.Info("not leading: no changes are made")
		},
		OnNewLeader: func(who string) {
			if who != identity {
				log.Info("standing by", zap.String("leader", who))
				r.Yield()
			}
		},
	}
}

// termOf numbers the time of a leader: greater than that of all before, also those
// of a Lease that was deleted since. It asks until ctx ends.
func termOf(ctx context.Context, lock *resourcelock.LeaseLock, pause time.Duration) int64 {
	for {
		held, err := lock.Client.Leases(lock.LeaseMeta.Namespace).Get(ctx, lock.LeaseMeta.Name, metav1.GetOptions{})
		if err == nil {
			n := held.CreationTimestamp.Unix() * mostTerms
			if held.Spec.LeaseTransitions != nil {
				n += int64(*held.Spec.LeaseTransitions)
			}
			return n
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return 0
		}
	}
}

// mostTerms is how many leaders a Lease may have had: the number is exact in
// JSON's readers, which know 53 bits.
const mostTerms = 1_000_000

// podNamespace is where a pod finds its namespace.
const podNamespace = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"

func (l *leaseFlags) leaseNamespace() (string, error) {
	if l.namespace != "" {
		return l.namespace, nil
	}
	raw, err := os.ReadFile(podNamespace)
	if err != nil {
		return "", errors.New("--lease-namespace is needed outside of a pod")
	}
	return strings.TrimSpace(string(raw)), nil
}

// defaultNamespace is where the documentation installs the controller, and where
// deploy/rbac.yaml has it.
const defaultNamespace = "landbridge-system"

// controllersNamespace is where a command finds the controller: outside of a pod
// in the namespace of the documentation.
func (l *leaseFlags) controllersNamespace() string {
	namespace, err := l.leaseNamespace()
	if err != nil {
		return defaultNamespace
	}
	return namespace
}
