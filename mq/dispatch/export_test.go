package dispatch

import "time"

// SetFirstLull is how long a subscription of a queue that is served from now on
// may get nothing while messages wait.
func (d *Dispatcher) SetFirstLull(first time.Duration) { d.firstLull = first }

// SetMostWait is how long a message may wait for those before it.
func (d *Dispatcher) SetMostWait(wait time.Duration) { d.mostWait = wait }

// SetConfirm is how long the broker may take to confirm a copy.
func (d *Dispatcher) SetConfirm(wait time.Duration) { d.confirm = wait }
