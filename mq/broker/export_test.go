package broker

import (
	"net"
	"time"
)

// SetOverdue has a publisher wait no longer for words that are late.
func (p *Publisher) SetOverdue(d time.Duration) { p.overdue = d }

// SetWorn has a publisher give a channel up at once that refuses.
func (p *Publisher) SetWorn(d time.Duration) { p.worn = d }

// SetOverdue is that of a publisher.
func (c *Caller) SetOverdue(d time.Duration) { c.publisher.SetOverdue(d) }

// Gather is a connection that gathers what is written to it.
func Gather(c net.Conn) net.Conn { return newGather(c) }
