package histories

import (
	"fmt"
	"maps"
	"slices"

	"landbridge.dev/sync/state"
)

// Reboot returns the device, or one unit of a pair, to the configuration that
// it saved last; if it never did, to that at the start.
type Reboot struct{ Unit int }

// String says what happens.
func (a Reboot) String() string {
	return fmt.Sprintf("%s is started anew, and has forgotten all that was not saved", unitName(a.Unit))
}

func (a Reboot) do(p *play) {
	if p.device.reboot(a.Unit) {
		p.upsets(untilResync)
		p.replaced()
	}
}

// replaced notes that what stands on the device may be something else now than
// a moment before.
func (p *play) replaced() {
	p.mu.Lock()
	names := slices.Collect(maps.Keys(p.planned))
	p.mu.Unlock()
	p.handled(slices.Concat(names, slices.Collect(maps.Keys(p.device.things())))...)
}

// FailOver lets the units of a pair change their roles.
type FailOver struct{}

// String says what happens.
func (FailOver) String() string { return "the units change their roles" }

func (FailOver) do(p *play) { p.device.failover() }

// Sync lets a person make one unit's configuration the other's.
type Sync struct{ From int }

// String says what happens.
func (a Sync) String() string {
	if a.From == theActive {
		return "a person syncs the active unit's configuration to the group"
	}
	return fmt.Sprintf("a person syncs the configuration of %s to the group", unitName(a.From))
}

func (a Sync) do(p *play) { p.device.sync(a.From) }

// Stray lets a person change the unit of a pair that is not active.
type Stray struct{ Which int }

// String says what happens.
func (a Stray) String() string {
	return fmt.Sprintf("a person adds a node on the standby unit (%d)", a.Which)
}

func (a Stray) do(p *play) {
	oneOf(a.Which, foreignNodes(), func(o state.Object) bool { return p.device.makeStandby(o) })
}
