package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"landbridge.dev/sync/watch"
)

// ErrAnotherCluster ends Run: the API server speaks for another cluster than
// at the start. Its store was emptied, say, or its address leads elsewhere.
// That no Service is there says nothing then of those that were.
var ErrAnotherCluster = errors.New("the API server now speaks for another cluster")

// sure is for how long it is believed that the cluster is the same: a whole
// cluster's worth of Services that vanish together is to reach the brakes
// together, and no API server is exchanged for another within that time
// without a list that fails.
const sure = time.Second

// askFor is how long an API server may take to answer.
const askFor = 5 * time.Second

// confirm asks the API server whether it speaks for the cluster whose objects
// are ours. While it does not answer, nothing is known.
func (r *Reconciler) confirm(ctx context.Context) error {
	r.asking.Lock()
	defer r.asking.Unlock()
	if time.Since(r.confirmed) < sure {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	uid, err := watch.ClusterUID(ctx, r.Client)
	if err != nil {
		return fmt.Errorf("is this still cluster %s (uid %s): %w", r.Identity.Cluster, r.Identity.UID, err)
	}
	if uid != r.Identity.UID {
		return fmt.Errorf("%w: uid %s, and not %s; nothing is removed, and with a new start what stands outside is that other cluster's",
			ErrAnotherCluster, uid, r.Identity.UID)
	}
	r.confirmed = time.Now()
	return nil
}
