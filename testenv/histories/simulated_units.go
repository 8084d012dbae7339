package histories

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/state"
	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/bigip/fault"
)

// unit is one simulated BIG-IP.
type unit struct {
	simulated *simulated
	name      string // host and name
	device    *bigip.Device
	faults    fault.Rules
	failed    http.Handler // the device behind its faults
	eye       *f5.Backend  // how the observer reads: past the faults, without latency

	queued map[string][]call // in transactions that are open; simulated.mu is held

	mu      sync.Mutex
	down    bool
	standby time.Time         // since when it is not the active unit; zero while it is
	synced  map[string]string // what it holds but for changes that the pair lacks
}

func unitName(i int) string { return []string{"bigip-a", "bigip-b"}[i] }

// The device group of a pair, and how soon what replicas change is saved.
const (
	groupName = "pair"
	saveEvery = 30 * time.Second
)

// unitsOf are the units that devices are, in their order.
func (s *simulated) unitsOf(devices ...*bigip.Device) ([]*unit, error) {
	var units []*unit
	for i, d := range devices {
		u := &unit{simulated: s, name: unitName(i), device: d, queued: map[string][]call{}}
		u.failed = u.faults.Wrap(http.HandlerFunc(u.serve), fault.Effects{
			ForgetTokens: d.ForgetTokens, LoseTransactions: d.ForgetTransactions, Failover: func() { s.failover() }, Hit: s.play.hit,
		})
		var err error
		if u.eye, err = f5.New(s.options(state.Identity{}, direct{d.Handler()}, u)); err != nil {
			return nil, err
		}
		units = append(units, u)
	}
	return units, nil
}

// newPair is two units of one device group.
func newPair(p *play, sync Syncing) (device, error) {
	s := &simulated{play: p, upkeep: sync == SyncOurs}
	options := bigip.Options{Partitions: partitions()}
	var err error
	s.pair, err = bigip.NewPair(options, options, bigip.PairOptions{Group: groupName, AutoSync: sync == SyncAuto, Synced: s.synced})
	if err != nil {
		return nil, err
	}
	if s.units, err = s.unitsOf(s.pair.A, s.pair.B); err != nil {
		return s, err
	}
	if err := errors.Join(furnish(s.pair.B, theirs()[:1]), furnish(s.pair.A, theirs())); err != nil {
		return s, err
	}
	s.units[1].standby = time.Now()
	s.sync(0)
	for _, u := range s.units {
		u.device.Do(http.MethodPost, "/mgmt/tm/sys/config", map[string]string{"command": "save"})
	}
	return s, nil
}

// furnish lets people make calls on a device, and save what comes of them.
func furnish(d *bigip.Device, calls []personal) error {
	for _, c := range calls {
		if status, answer := d.Do(http.MethodPost, "/mgmt/tm/"+c.kind, c.body); status >= http.StatusBadRequest {
			return fmt.Errorf("%s %v: %v", c.kind, c.body, answer)
		}
	}
	d.Do(http.MethodPost, "/mgmt/tm/sys/config", map[string]string{"command": "save"})
	return nil
}

func (s *simulated) unit(i int) *unit {
	if i == theActive {
		return s.active()
	}
	return s.units[i%len(s.units)]
}

// unitAt is the unit with a name.
func (s *simulated) unitAt(host string) *unit {
	return s.units[slices.IndexFunc(s.units, func(u *unit) bool { return u.name == host })]
}

// active is the unit that takes the traffic.
func (s *simulated) active() *unit {
	for _, u := range s.units {
		if u.device.FailoverState() == "active" {
			return u
		}
	}
	return s.units[0]
}

func (u *unit) isDown() bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.down
}

func (s *simulated) fault(f Fault) {
	u := s.unit(f.Unit)
	if f.Do == Down {
		u.mu.Lock()
		u.down = true
		u.mu.Unlock()
		return
	}
	rule := fault.Rule{Do: fault.Action(f.Do), Skip: f.Skip, Count: f.Count}
	if f.Writes {
		rule.Method = "write"
	}
	switch f.Do {
	case Refuse:
		rule.Do, rule.Status = fault.Status, http.StatusBadRequest
	case Denied:
		rule.Do, rule.Status = fault.Status, http.StatusUnauthorized
	case Broken:
		rule.Do, rule.Status = fault.Status, http.StatusInternalServerError
	case Slow:
		rule.Do, rule.Delay = fault.Delay, slow
	case Stuck:
		rule.Do, rule.Delay = fault.Delay, stuck
	case LoseBatches:
		rule.Do = fault.LoseTransactions
	case Failover:
		rule.Count = max(rule.Count, 1) // each is one; between them the roles stay for a while
	case CutBefore, CutAfter, Lost, Busy, Page, Starting, MCPDLost, ForgetTokens, Down:
	}
	if _, err := u.faults.Add(rule); err != nil {
		s.play.violated("the fault of the test: %v", err)
	}
}

func (s *simulated) calm() {
	for _, u := range s.units {
		u.faults.Clear()
		u.mu.Lock()
		u.down = false
		u.mu.Unlock()
	}
}

// failover lets the units change their roles.
func (s *simulated) failover() bool {
	if s.pair == nil {
		return false
	}
	before := s.active()
	s.pair.Failover()
	s.roles(before)
	return true
}

// roles notes that another unit may have become active.
func (s *simulated) roles(before *unit) {
	after := s.active()
	if after == before {
		return
	}
	before.mu.Lock()
	before.standby = time.Now()
	before.mu.Unlock()
	after.mu.Lock()
	after.standby = time.Time{}
	after.mu.Unlock()
	s.play.note("    %s is the active unit now", after.name)
	s.play.upsets(untilRead)
	s.play.replaced()
}

// sync makes one unit's configuration the other's, as a person does.
func (s *simulated) sync(from int) bool {
	if s.pair == nil {
		return false
	}
	status, _ := s.unit(from).device.Do(http.MethodPost, "/mgmt/tm/cm", map[string]string{
		"command": "run", "utilCmdArgs": "config-sync to-group " + groupName,
	})
	return status < http.StatusBadRequest
}

// synced takes in that the units hold the same from now on. The active one may
// have lost what it held.
func (s *simulated) synced(_, to *bigip.Device) {
	if s.units == nil {
		return // while the pair is made
	}
	s.forget()
	for _, u := range s.units {
		u.remember()
	}
	if s.active().device == to {
		s.play.note("    the active unit got the other one's configuration")
		s.play.upsets(untilResync)
		s.play.replaced()
	}
}

// remember notes what a unit holds that is no change of its own.
func (u *unit) remember() {
	held := contents(u.things())
	u.mu.Lock()
	defer u.mu.Unlock()
	u.synced = held
}

// changes are the things that are otherwise on a unit than when it was last
// synced, sorted.
func (u *unit) changes() []string {
	now := contents(u.things())
	u.mu.Lock()
	defer u.mu.Unlock()
	var names []string
	for name := range now {
		if content, was := u.synced[name]; !was || content != now[name] {
			names = append(names, name)
		}
	}
	for name := range u.synced {
		if _, is := now[name]; !is {
			names = append(names, name)
		}
	}
	return slices.Sorted(slices.Values(names))
}

// contents are things without what is known of them.
func contents(things map[string]thing) map[string]string {
	all := make(map[string]string, len(things))
	for name, t := range things {
		all[name] = t.content
	}
	return all
}

func (s *simulated) makeStandby(o state.Object) bool {
	for _, u := range s.units {
		if u != s.active() {
			return u.make(o)
		}
	}
	return false
}

func (s *simulated) inStep() bool { return s.pair == nil || s.pair.InSync() }

func (s *simulated) close() {
	if s.pair != nil {
		s.pair.Close()
	}
}

// tilde writes a path as it stands in a URL.
func tilde(path string) string { return url.PathEscape(strings.ReplaceAll(path, "/", "~")) }
