package dispatch

import "time"

// SetMostWait is how long a message may wait for those before it.
func (d *Dispatcher) SetMostWait(wait time.Duration) { d.mostWait = wait }
