package f5

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"
)

const failoverPath = "cm/failover-status"

// How long a look at the roles holds, how often Watch takes one, and how long
// a unit may take to say what it is.
//
// A change costs no call for this: while Watch runs, there is always a look
// that is fresh enough. Within the two seconds after a failover a change may
// thus go to the unit that was active before, which accepts it and shows it as
// pending (a later sync takes it along or overwrites it), and be called done.
// It is not lost: the next look finds the other unit active, all is read anew
// there, and what is missing is made there.
const (
	roleFresh   = 2 * time.Second
	roleEvery   = time.Second
	roleTimeout = 5 * time.Second
)

// tenure is the time for which one unit is the one that takes our calls. Each
// has its own, also one that comes back: an answer from an earlier tenure is
// not of the device that serves now.
type tenure struct{ *session }

// group is the units of one device group, and which of them takes our calls.
// A single unit always does, and is never asked. Its methods may be called
// concurrently.
type group struct {
	units []*session
	clock func() time.Time
	log   *zap.Logger
	show  func(active string) // shows which unit is; empty for none
	// gate lets one caller at a time look; the others use what it found.
	gate chan struct{}
	// moved holds why all is to be read anew, until Watch passes it on.
	moved chan string

	mu      sync.Mutex
	current *tenure // nil when no unit is known to be active
	err     error   // why not
	looked  time.Time
	last    *session // of the latest tenure
	read    *tenure  // in which all was read last: what is planned is planned against that
}

func newGroup(units []*session, o *Options) *group {
	g := &group{
		units: units, clock: o.Clock, log: o.Log.With(zap.String("backend", o.Name)),
		gate: make(chan struct{}, 1), moved: make(chan string, 1),
		show: func(active string) { o.Metrics.takes(o.Name, active, units) },
	}
	g.show("")
	if !g.several() {
		g.current = &tenure{units[0]}
		g.show(units[0].host)
	}
	return g
}

func (g *group) several() bool { return len(g.units) > 1 }

// tell has Watch say that all is to be read anew.
func (g *group) tell(why string) {
	select {
	case g.moved <- why:
	default: // one reason is enough
	}
}

// forgot is told when a unit does not know our token before its time is over:
// it has restarted, and what it holds may be what it once saved.
func (g *group) forgot(s *session) {
	g.mu.Lock()
	ours := g.current != nil && g.current.host == s.host
	g.mu.Unlock()
	if ours {
		g.tell(s.host + " has forgotten our login, as after a restart")
	}
}

// active is the unit that takes our calls, by a look that is fresh enough.
func (g *group) active(ctx context.Context) (*tenure, error) {
	return g.look(ctx, g.clock().Add(-roleFresh))
}

// planned is the active unit, if it is the one of which all was read last.
// Changes were planned against what that held.
func (g *group) planned(ctx context.Context) (*tenure, error) {
	t, err := g.active(ctx)
	if err != nil {
		return nil, err
	}
	g.mu.Lock()
	read := g.read
	g.mu.Unlock()
	if read != nil && read != t {
		return nil, changed(read, t)
	}
	return t, nil
}

// haveRead remembers in which tenure all was read.
func (g *group) haveRead(t *tenure) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.read = t
}

// still says whether a tenure goes on, by a look that is fresh enough.
func (g *group) still(ctx context.Context, t *tenure) error {
	return g.since(ctx, t, g.clock().Add(-roleFresh))
}

// stillNow is still by a look that begins now.
func (g *group) stillNow(ctx context.Context, t *tenure) error {
	return g.since(ctx, t, g.clock())
}

func (g *group) since(ctx context.Context, t *tenure, after time.Time) error {
	now, err := g.look(ctx, after)
	switch {
	case err != nil:
		return err
	case now != t:
		return changed(t, now)
	}
	return nil
}

func changed(before, now *tenure) error {
	if before.session == now.session {
		return &unitError{ReasonUnitChanged, fmt.Errorf("%s was not active for a while: all is read anew there before anything is changed", now.host)}
	}
	return &unitError{ReasonUnitChanged, fmt.Errorf(
		"%s is not the active unit any more: all is read anew on %s before anything is changed there", before.host, now.host)}
}

// look is which unit is active, by a look that began after a time.
func (g *group) look(ctx context.Context, after time.Time) (*tenure, error) {
	if t, ok, err := g.known(after); ok {
		return t, err
	}
	select {
	case g.gate <- struct{}{}:
	case <-ctx.Done():
		return nil, &unitError{ReasonStopped, context.Cause(ctx)}
	}
	defer func() { <-g.gate }()
	if t, ok, err := g.known(after); ok {
		return t, err
	}
	began := g.clock()
	found, err := g.find(ctx)
	if ctx.Err() != nil {
		return nil, &unitError{ReasonStopped, context.Cause(ctx)} // says nothing about the units
	}
	return g.settle(found, err, began)
}

// known is the outcome of the latest look, if that is fresh enough.
func (g *group) known(after time.Time) (t *tenure, ok bool, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.several() {
		return g.current, true, nil
	}
	return g.current, g.looked.After(after), g.err
}

// settle takes in what a look found.
func (g *group) settle(found *session, err error, began time.Time) (*tenure, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	before, first := g.current, g.looked.IsZero()
	g.looked, g.err = began, err
	switch {
	case found == nil:
		g.current = nil
		g.show("")
		if before != nil {
			g.tell(before.host + " is not active any more, and no other unit is")
		}
	case before == nil || before.session != found:
		g.current = &tenure{found}
		g.show(found.host)
		if !first {
			g.tell(found.host + " is the active unit now")
		}
		g.log.Info("active unit", zap.String("unit", found.host), zap.String("before", hostOf(g.last)))
		g.last = found
	}
	return g.current, err
}

func hostOf(s *session) string {
	if s == nil {
		return "none"
	}
	return s.host
}

// find asks the unit that was active last, and only when it is so no more, or
// does not say, all of them.
func (g *group) find(ctx context.Context) (*session, error) {
	if g.last != nil { // written under the gate, which we hold
		if status, err := g.ask(ctx, g.last); err == nil && status.isActive() {
			return g.last, nil
		}
	}
	answers := make([]*unitStatus, len(g.units))
	errs := make([]error, len(g.units))
	var wg sync.WaitGroup
	for i, u := range g.units {
		wg.Go(func() { answers[i], errs[i] = g.ask(ctx, u) })
	}
	wg.Wait()
	var active []*session
	for i, u := range g.units {
		if errs[i] == nil && answers[i].isActive() {
			active = append(active, u)
		}
	}
	if len(active) == 0 {
		return nil, g.noneActive(answers, errs)
	}
	if len(active) > 1 {
		g.log.Warn("several units say that they are active for "+trafficGroup+": see to the failover network; the first in hosts is used",
			zap.String("unit", active[0].host))
	}
	return active[0], nil
}

func (g *group) ask(ctx context.Context, s *session) (*unitStatus, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, roleTimeout, errNoAnswer)
	defer cancel()
	return s.beside.readStatus(ctx, failoverPath)
}

// noneActive says of each unit why it takes no calls.
func (g *group) noneActive(answers []*unitStatus, errs []error) error {
	words := make([]string, len(g.units))
	answered := false
	for i, u := range g.units {
		if errs[i] != nil {
			words[i] = fmt.Sprintf("%s: %v", u.host, errs[i])
			continue
		}
		answered = true
		words[i] = u.host + " is " + strings.ToLower(answers[i].status)
		if answers[i].status == "ACTIVE" {
			words[i] += " for other traffic groups"
		}
	}
	if !answered {
		return &beforeCallError{errors.Join(errs...)}
	}
	return &unitError{ReasonNoActiveUnit, fmt.Errorf(
		"no unit of hosts is active for %s (%s): bring one online on the devices, or add the unit that is active to hosts; nothing is changed until then",
		trafficGroup, strings.Join(words, "; "))}
}

// unitError is why no unit takes our calls, or why an answer does not count.
type unitError struct {
	reason string
	err    error
}

func (e *unitError) Error() string { return e.err.Error() }

func (e *unitError) Unwrap() error { return e.err }
