package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"
	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/backends/bgp"
	"landbridge.dev/config"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/reconcile"
)

// sessionsAnnotation and a replica's own part on the leader's Lease carry how
// its BGP sessions stand: they are in its process alone, and those who ask run
// elsewhere.
const sessionsAnnotation = "sessions.landbridge.dev/"

// How often it is looked whether a session has changed, how often it is said
// again that none has, and when what a replica said last is cleared away.
const (
	sessionsEvery = 2 * time.Second
	sessionsAgain = time.Minute
	sessionsGone  = time.Hour
)

// spoken is the annotation's value.
type spoken struct {
	reconcile.Speaker
	// Peers are the peers as they are configured in that process.
	Peers []config.Peer `json:"peers"`
}

// sessionsKey is the annotation of a replica. Its name ends in a UUID; all of
// it might be too long.
func sessionsKey(replica string) string {
	return sessionsAnnotation + replica[strings.LastIndex(replica, "_")+1:]
}

// publishSessions says on the Lease how this replica's sessions stand, for as
// long as it has any, and takes that away at the end.
func (l *leaseFlags) publishSessions(ctx context.Context, client kubernetes.Interface, replica string, s *bgp.Speaker, log *zap.Logger) error {
	namespace, err := l.leaseNamespace()
	if err != nil {
		return err
	}
	write := func(ctx context.Context, values map[string]any) error {
		patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": values}})
		if err == nil {
			_, err = client.CoordinationV1().Leases(namespace).Patch(ctx, l.name, types.MergePatchType, patch, metav1.PatchOptions{})
		}
		return err
	}
	var last spoken
	tick := time.NewTicker(sessionsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			if last.Said.IsZero() {
				return nil
			}
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), sessionsEvery)
			defer cancel()
			if err := write(ctx, map[string]any{sessionsKey(replica): nil}); err != nil {
				log.Warn("the sessions stay on the Lease", zap.Error(err))
			}
			return nil
		case <-tick.C:
		}
		now := spoken{Speaker: reconcile.Speaker{Replica: replica, Said: last.Said, Sessions: s.Sessions()}, Peers: s.Peers()}
		switch {
		case len(now.Sessions) == 0 && last.Said.IsZero():
			continue
		case reflect.DeepEqual(now, last) && time.Since(last.Said) < sessionsAgain:
			continue
		}
		now.Said = time.Now().UTC().Truncate(time.Second)
		values, err := l.forgotten(ctx, client, namespace)
		if err == nil {
			values[sessionsKey(replica)], err = inJSON(now)
		}
		if err == nil {
			err = write(ctx, values)
		}
		if err != nil {
			log.Debug("the sessions are not shown on the Lease", zap.Error(err)) // while the API server is away
			continue
		}
		last = now
	}
}

// forgotten takes away what replicas said that have not spoken for long.
func (l *leaseFlags) forgotten(ctx context.Context, client kubernetes.Interface, namespace string) (map[string]any, error) {
	lease, err := client.CoordinationV1().Leases(namespace).Get(ctx, l.name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	values := map[string]any{}
	for key, value := range lease.Annotations {
		if said, ok := parseSpoken(key, value); ok && time.Since(said.Said) > sessionsGone {
			values[key] = nil
		}
	}
	return values, nil
}

func inJSON(v any) (string, error) {
	raw, err := json.Marshal(v)
	return string(raw), err
}

func parseSpoken(key, value string) (said spoken, ok bool) {
	if !strings.HasPrefix(key, sessionsAnnotation) {
		return said, false
	}
	if json.Unmarshal([]byte(value), &said) != nil {
		return spoken{}, true // somebody else wrote there: cleared away by its age
	}
	return said, true
}

// spokenOf are what replicas say on the Lease that count: the leader, or with
// all of them speaking those that spoke lately.
func spokenOf(lease *coordinationv1.Lease, all bool, now time.Time) []spoken {
	var said []spoken
	for key, value := range lease.Annotations {
		s, ok := parseSpoken(key, value)
		if !ok || now.Sub(s.Said) > reconcile.SpeakerSilence {
			continue
		}
		if holder := lease.Spec.HolderIdentity; all || holder != nil && *holder == s.Replica {
			said = append(said, s)
		}
	}
	slices.SortFunc(said, func(a, b spoken) int { return cmp.Compare(a.Replica, b.Replica) })
	return said
}

// sessions are what the controllers of a configuration say of their sessions.
func (l *leaseFlags) sessions(ctx context.Context, client kubernetes.Interface, c *config.Config) ([]spoken, error) {
	lease, err := client.CoordinationV1().Leases(l.controllersNamespace()).Get(ctx, l.name, metav1.GetOptions{})
	if err != nil {
		return nil, fmt.Errorf("what the controller says of its BGP sessions stands on its Lease: %w", err)
	}
	return spokenOf(lease, c.BGP.Speakers == config.SpeakersAll, time.Now()), nil
}

// changedSessions is what becomes of sessions when the configuration is taken
// up by those that speak.
func changedSessions(said []spoken, c *config.Config) []plan.SessionEntry {
	var entries []plan.SessionEntry
	for _, s := range said {
		for _, e := range bgp.Sessions(s.Peers, c.BGP.Peers) {
			if !slices.ContainsFunc(entries, func(o plan.SessionEntry) bool { return reflect.DeepEqual(o, e) }) {
				entries = append(entries, e)
			}
		}
	}
	return entries
}
