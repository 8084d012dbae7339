package bigip

import (
	"net/http"

	"landbridge.dev/testenv/bigip/fault"
)

// Fault puts a fault in force and returns what takes it out again; that
// returns how many calls it hit.
func (d *Device) Fault(r fault.Rule) (remove func() int, err error) {
	id, err := d.faults.Add(r)
	if err != nil {
		return nil, err
	}
	return func() int { return d.faults.Remove(id) }, nil
}

// ClearFaults takes all faults out.
func (d *Device) ClearFaults() { d.faults.Clear() }

func (d *Device) intercept(next http.Handler) http.Handler {
	return d.faults.Wrap(next, fault.Effects{
		ForgetTokens:     func() { d.rest.ForgetTokens() },
		LoseTransactions: func() { d.rest.ForgetTransactions() },
		Failover:         func() { d.unit.failover() },
	})
}
