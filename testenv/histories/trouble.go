package histories

import "time"

// How long a world may need after something went wrong. What happens on a
// device unseen is found by the next full read; a Service that a fault has hit
// tries again after at most as long as the fault had lasted, and a device that
// took no calls is looked at once more within half a minute. The rest is for
// calls that hang.
const (
	untilRead   = 15 * time.Second
	untilResync = resync + untilRead
	longestWait = 5 * time.Minute // the longest backoff of a Service
	hanging     = stuck + 40*time.Second
)

// trouble is until when what is wrong with the world may show on the device.
type trouble struct {
	began, until time.Time // of the faults that calls met, one soon after the other
	upset        time.Time // until when something else may show
}

// upsets notes that something has happened whose consequences may show for a
// time.
func (p *play) upsets(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.trouble.upset) {
		p.trouble.upset = until
	}
}

// hit notes that a call met a fault.
func (p *play) hit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	if now.After(p.trouble.until) {
		p.trouble.began = now
	}
	lasts := min(2*now.Sub(p.trouble.began)+untilRead, longestWait) + hanging
	p.trouble.until = now.Add(lasts)
}

// troubled says whether something may be wrong for a while yet.
func (p *play) troubled() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	return now.Before(p.trouble.until) || now.Before(p.trouble.upset)
}
