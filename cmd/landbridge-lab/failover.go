package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"landbridge.dev/testenv/bigip/fault"
	"landbridge.dev/testenv/load"
)

// moveInFailover is move, and in the middle of it the pair fails over: when the
// new ratios are to be committed, the unit that is asked for it stands by, and
// the commit is lost.
func (m *migration) moveInFailover(share int) func(context.Context) error {
	return func(ctx context.Context) error {
		return m.step(ctx, fmt.Sprintf("%d %%, failover", share), share, func(ctx context.Context) error {
			was := m.world.Active()
			mend, err := was.Fault(fault.Rule{Method: http.MethodPatch, Path: "/mgmt/tm/transaction/", Count: 1, Do: fault.Failover})
			if err != nil {
				return err
			}
			if err := m.share(ctx, share); err != nil {
				return err
			}
			if hits := mend(); hits != 1 || m.world.Active() == was {
				return errors.New("the pair did not fail over")
			}
			m.said("bigip", fmt.Sprintf("%s failed over while it was to commit; %s is active", was.URL(), m.world.Active().URL()))
			return nil
		})
	}
}

// failover says whether the pair failed over during the step.
func (r *row) failover() bool { return r.after != nil }

// lost says whether a connection was lost with the unit that failed over: it
// was let in, at a time at which that unit may have taken it, and ended when or
// after it stood by.
func (r *row) lost(f load.Failure) bool {
	return r.failover() && !f.Connected.IsZero() && f.Begun.Before(r.after.FailoverSince()) && !f.At.Before(r.unit.FailoverSince())
}
