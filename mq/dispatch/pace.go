package dispatch

import (
	"math"
	"sync"
	"time"

	"landbridge.dev/sync/state"
)

const (
	// pacedPriority is the consumer's while it takes its share: what it asks
	// for it gets before the others, and then it asks for no more.
	pacedPriority = 10
	// saved is for how many seconds a share may be saved up, and a message more.
	saved = 1.0
	// leastRate is of what a share earns its part where the others take nothing.
	leastRate = 0.5
	// atOnce is how much of what a share is behind it earns at most beside.
	atOnce = 0.5
)

// pace keeps a gateway to its share of a queue. It earns, in messages, what is
// due to it by what is taken, divided among the gateways, and spends them on
// deliveries. It is safe for concurrent use.
type pace struct {
	mu      sync.Mutex
	on      bool
	alone   bool // nobody else consumes: all is ours
	balance float64
	rate    float64 // that it earns, a second
	last    time.Time
}

// earn takes a look at what the others take.
func (p *pace) earn(c *state.QueueConsumer, rates Rates, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.on = c.PodShare > 0 && c.PodShare < 100
	elapsed := now.Sub(p.last).Seconds()
	p.last = now
	if !p.on {
		p.balance, p.alone = 0, false
		return
	}
	if rates == nil {
		p.rate, p.alone = 0, false
		return
	}
	theirs, ours, consumers, gateways, known := rates.Taken(c.Queue)
	p.alone = known && consumers == 0
	p.rate = 0
	if known {
		p.rate = due(float64(c.PodShare)/100, theirs, ours) / float64(max(1, gateways))
	}
	p.balance = min(p.balance+p.rate*min(elapsed, 1), 1+p.rate*saved)
}

// due is how many messages a second the gateways may take together, with a share
// from 0 to 1, where so many were taken lately: the share of all, and of what it is
// behind a part.
//
// A third and less earns just share/(1-share) of what others take. Where these take
// what we leave, a larger share would swing by that, from about 60 per cent on
// between all and nothing: what we leave counts for more than itself, and as it was
// seconds ago.
func due(share, theirs, ours float64) float64 {
	behind := share*theirs - (1-share)*ours
	rate := share*(theirs+ours) + min(atOnce, share/(1-share))*behind
	if theirs == 0 {
		return max(rate, share*leastRate)
	}
	return rate
}

// open says whether there is anything to spend.
func (p *pace) open() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.on || p.alone || p.balance >= 1
}

// pay pays for a delivery before it is asked for; false where there is not
// enough.
func (p *pace) pay() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on || p.alone {
		return true
	}
	if p.balance < 1 {
		return false
	}
	p.balance--
	return true
}

// refund gives back what was paid for a delivery that did not come.
func (p *pace) refund() { p.add(1) }

// owe pays for one that came unasked: it is earned before the next.
func (p *pace) owe() { p.add(-1) }

func (p *pace) add(n float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.on && !p.alone {
		p.balance += n
	}
}

// paced says whether deliveries are paid for.
func (p *pace) paced() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.on && !p.alone
}

// bound is a prefetch that can be paid for.
func (p *pace) bound(prefetch int) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on || p.alone {
		return prefetch
	}
	return max(1, min(prefetch, int(math.Ceil(p.balance))))
}

// priority is that of the consumer: the Service's, unless it takes a share.
func (p *pace) priority(asked int) int {
	if p.paced() && asked == 0 {
		return pacedPriority
	}
	return asked
}
