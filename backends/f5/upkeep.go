package f5

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// When the group is looked at after changes of ours: once they have paused for
// syncQuiet, or for syncLatest after the first; again after syncAgain when it
// is in no state to be synced.
const (
	syncQuiet  = 2 * time.Second
	syncLatest = 10 * time.Second
	syncAgain  = 30 * time.Second
)

// upkeep is what follows changes where it is asked for: saving them on the
// unit, and syncing them to its group. Neither holds up a change, nor fails
// one: what goes wrong is logged, and tried again. Its methods may be called
// concurrently.
type upkeep struct {
	opts  *Options
	group *group
	// running is the one task under way; whoever closes waits for it.
	running sync.WaitGroup

	mu       sync.Mutex
	busy     bool
	unsaved  map[string]bool // partitions with changes of ours
	saveAt   time.Time
	unsynced bool
	syncBy   time.Time // at the latest, however fast changes come
	syncAt   time.Time
	told     string // why it cannot be synced, as last logged
}

func newUpkeep(g *group, o *Options) *upkeep {
	return &upkeep{opts: o, group: g, unsaved: map[string]bool{}}
}

func (u *upkeep) wanted() bool { return u.opts.SaveConfig > 0 || u.opts.ConfigSync != "" }

// changed remembers a change that was made, or may have been.
func (u *upkeep) changed(c plan.Change) {
	if !u.wanted() {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.opts.Clock()
	if u.opts.SaveConfig > 0 {
		if len(u.unsaved) == 0 {
			u.saveAt = now.Add(u.opts.SaveConfig)
		}
		u.unsaved[partitionOf(c)] = true
	}
	if u.opts.ConfigSync != "" {
		if !u.unsynced {
			u.unsynced, u.syncBy = true, now.Add(syncLatest)
		}
		u.syncAt = now.Add(syncQuiet)
		if u.syncAt.After(u.syncBy) {
			u.syncAt = u.syncBy
		}
	}
}

// partitionOf is in which partition's file a change is saved: a member's in
// its pool's.
func partitionOf(c plan.Change) string {
	o := c.After
	if o == nil {
		o = c.Before
	}
	path := o.ID().Name
	if n, ok := o.(*state.Node); ok {
		path = n.Path
	}
	return placeOf(path).Partition
}

// begin starts what is due, unless a task is under way already.
func (u *upkeep) begin(ctx context.Context) {
	u.mu.Lock()
	defer u.mu.Unlock()
	now := u.opts.Clock()
	save := len(u.unsaved) > 0 && !now.Before(u.saveAt)
	sync := u.unsynced && !now.Before(u.syncAt)
	if u.busy || !save && !sync {
		return
	}
	u.busy = true
	u.running.Go(func() {
		u.run(ctx, save, sync)
		u.mu.Lock()
		defer u.mu.Unlock()
		u.busy = false
	})
}

// end waits for what is under way, and does what is left, due or not: nobody
// else knows of it.
func (u *upkeep) end(ctx context.Context) {
	u.running.Wait()
	u.mu.Lock()
	save, sync := len(u.unsaved) > 0, u.unsynced
	u.mu.Unlock()
	if save || sync {
		u.run(ctx, save, sync)
	}
}

func (u *upkeep) run(ctx context.Context, save, sync bool) {
	lead, err := u.group.active(ctx)
	if err != nil {
		return // the worker knows, and tells
	}
	if save {
		u.save(ctx, lead)
	}
	if sync {
		u.sync(ctx, lead)
	}
}

// save saves the partitions with changes of ours. tmsh knows "save sys config
// partitions { a b }"; that its argument goes into options so is how F5's own
// people call it from REST, and is not in the manual.
func (u *upkeep) save(ctx context.Context, lead *tenure) {
	u.mu.Lock()
	unsaved := u.unsaved
	u.unsaved = map[string]bool{}
	u.mu.Unlock()
	partitions := slices.Sorted(maps.Keys(unsaved))
	body := map[string]any{
		"command": "save",
		"options": []any{map[string]string{"partitions": "{ " + strings.Join(partitions, " ") + " }"}},
	}
	log := u.opts.Log.With(zap.String("backend", u.opts.Name), zap.String("unit", lead.host), zap.Strings("partitions", partitions))
	err := lead.write(ctx, http.MethodPost, "sys/config", body)
	if err == nil {
		log.Info("saved the configuration")
		return
	}
	log.Warn("the configuration was not saved", zap.Error(err))
	u.mu.Lock()
	defer u.mu.Unlock()
	maps.Copy(u.unsaved, unsaved)
	u.saveAt = u.opts.Clock().Add(u.opts.SaveConfig)
}

// sync pushes the active unit's configuration to its group, if it alone has
// changes and nobody else syncs them.
func (u *upkeep) sync(ctx context.Context, lead *tenure) {
	u.mu.Lock()
	u.unsynced = false // changes that come from now on count anew
	u.mu.Unlock()
	name := u.opts.ConfigSync
	log := u.opts.Log.With(zap.String("backend", u.opts.Name), zap.String("unit", lead.host), zap.String("group", name))
	push, err := mayPush(ctx, lead.session, name)
	if err == nil && push {
		err = lead.write(ctx, http.MethodPost, "cm", map[string]string{"command": "run", "utilCmdArgs": "config-sync to-group " + name})
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if err == nil {
		u.told = ""
		if push {
			log.Info("synced the configuration to its group")
		}
		return
	}
	if u.told != err.Error() {
		u.told = err.Error()
		log.Warn("the configuration is not synced to its group", zap.Error(err))
	}
	now := u.opts.Clock()
	u.unsynced, u.syncAt, u.syncBy = true, now.Add(syncAgain), now.Add(syncAgain)
}

// mayPush says whether a unit's configuration may be pushed to a group: it has
// changes pending, no other unit has, and the group does not sync by itself.
// With false and no error there is nothing to push.
func mayPush(ctx context.Context, s *session, group string) (bool, error) {
	automatic, err := autoSync(ctx, s, group)
	if err != nil {
		return false, fmt.Errorf("configSync: device group %s: %w", group, err)
	}
	if automatic {
		return false, nil
	}
	status, err := s.readStatus(ctx, "cm/sync-status")
	if err != nil {
		return false, err
	}
	switch status.status {
	case "In Sync":
		return false, nil
	case "Changes Pending":
	default:
		return false, fmt.Errorf("the group is %q: see to it on the devices", status.status)
	}
	self, err := selfName(ctx, s)
	if err != nil {
		return false, err
	}
	_, short := splitDir(group)
	// The sentence with which a device says who is ahead; where several are, it
	// says "one of the devices".
	advice := "Recommended action: Synchronize " + self + " to group " + short
	for _, d := range status.details {
		if strings.TrimLeft(strings.TrimSpace(d), "- ") == advice {
			return true, nil
		}
	}
	return false, fmt.Errorf("changes are pending, but not of %s alone, so nothing is pushed: sync the group by hand (%s)", self, strings.Join(status.details, "; "))
}

// autoSync says whether a device group syncs by itself.
func autoSync(ctx context.Context, s *session, group string) (bool, error) {
	path := group
	if !strings.HasPrefix(path, "/") {
		path = "/" + commonPartition + "/" + group
	}
	var settings struct {
		AutoSync string `json:"autoSync"`
	}
	err := s.get(ctx, objectPath("cm/device-group", path), &settings)
	return settings.AutoSync != "disabled", err
}

// selfName is what a unit is called in its group.
func selfName(ctx context.Context, s *session) (string, error) {
	var devices struct {
		Items []struct {
			Name string `json:"name"`
			Self string `json:"selfDevice"` // "true", a text (captured)
		} `json:"items"`
	}
	if err := s.get(ctx, "cm/device", &devices); err != nil {
		return "", err
	}
	for _, d := range devices.Items {
		if d.Self == "true" {
			return d.Name, nil
		}
	}
	return "", errors.New("cm device names no unit that is this one")
}
