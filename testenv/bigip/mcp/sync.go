package mcp

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
)

// Synced reports whether an object belongs to what a device group keeps in
// step: traffic objects, partitions, users and floating addresses do; what
// describes one unit (its device, VLANs, own addresses, settings) does not
// (F5 K13946).
func (o *Object) Synced() bool {
	top := o.Kind
	if top.parent != nil {
		top = top.parent
	}
	switch {
	case top.Path == "net/self":
		return o.Str("floating") == "enabled"
	case top.Path == "net/route", top.Path == "net/route-domain", top.Path == "net/tunnels/tunnel":
		return !o.Stock
	case strings.HasPrefix(top.Path, "net/"), strings.HasPrefix(top.Path, "cm/"):
		return false
	case top.Path == partitionKind, top.Path == folderKind, top.Path == "auth/user":
		return true
	case strings.HasPrefix(top.Path, "ltm/"):
		return true
	}
	return false
}

// SyncFrom makes the synced part of this configuration that of another one,
// as a full load of a device group does. Objects that are equal keep their
// generation. It returns the fingerprint of what was loaded: a change of
// either configuration meanwhile shows as another fingerprint.
func (s *Store) SyncFrom(from *Store) string {
	s.commit.Lock()
	defer s.commit.Unlock()
	want := from.synced()
	changed := s.replaceSynced(want)
	if len(changed) > 0 {
		s.notify(changed)
	}
	return fingerprint(want)
}

func (s *Store) synced() []*Object {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.listSynced()
}

func (s *Store) listSynced() []*Object {
	var out []*Object
	for _, byKey := range s.objects {
		for _, o := range byKey {
			if o.Synced() {
				out = append(out, o)
			}
		}
	}
	return out
}

func (s *Store) replaceSynced(want []*Object) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := make(map[Key]bool, len(want))
	var put []*Object
	for _, o := range want {
		keep[o.Key()] = true
		if old := s.objects[o.Kind.Path][o.Key()]; old == nil || !reflect.DeepEqual(old.Props, o.Props) {
			put = append(put, o)
		}
	}
	var changed []Key
	drop := func(o *Object) { s.unlink(o); changed = append(changed, o.Key()) }
	for _, byKey := range s.objects {
		for k, o := range byKey {
			if o.Synced() && !keep[k] {
				drop(o)
			}
		}
	}
	for _, o := range put {
		if old := s.objects[o.Kind.Path][o.Key()]; old != nil {
			drop(old)
		}
	}
	slices.SortStableFunc(put, func(a, b *Object) int { return restoreRank(a) - restoreRank(b) })
	if len(put)+len(changed) > 0 {
		s.generation++
	}
	for _, o := range put {
		c := o.clone()
		c.Kind = s.mustKind(o.Kind.Path)
		if !c.Kind.Base {
			c.Generation = s.generation
		}
		s.link(c)
		changed = append(changed, c.Key())
	}
	slices.SortFunc(changed, compareKeys)
	return slices.Compact(changed)
}

// Fingerprint is equal for two configurations whose synced parts are equal.
func (s *Store) Fingerprint() string {
	s.mu.RLock()
	made := s.print
	s.mu.RUnlock()
	if made != "" {
		return made
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.print = fingerprint(s.listSynced())
	return s.print
}

func fingerprint(objects []*Object) string {
	slices.SortFunc(objects, func(a, b *Object) int { return compareKeys(a.Key(), b.Key()) })
	var b strings.Builder
	for _, o := range objects {
		props, err := json.Marshal(o.Props)
		if err != nil {
			continue
		}
		b.WriteString(o.Key().String())
		b.Write(props)
	}
	return b.String()
}

// Provide enters an object as if it had come with the device: it cannot be
// deleted. It is how a test or a pair of units puts platform objects in place.
func (s *Store) Provide(kind, parent, path string, props map[string]any) {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.baseItem(kind, parent, path, props)
}
