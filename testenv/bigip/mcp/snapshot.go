package mcp

import (
	"encoding/json"
	"fmt"
	"slices"
)

type snapshot struct {
	Version    string           `json:"version"`
	Generation int64            `json:"generation"`
	VSIndex    int64            `json:"vsIndex"`
	Objects    []snapshotObject `json:"objects"`
}

type snapshotObject struct {
	Kind       string         `json:"kind"`
	Parent     string         `json:"parent,omitempty"`
	Path       string         `json:"path"`
	Name       string         `json:"name,omitempty"`
	Partition  string         `json:"partition,omitempty"`
	SubPath    string         `json:"subPath,omitempty"`
	Generation int64          `json:"generation"`
	Stock      bool           `json:"stock,omitempty"`
	Props      map[string]any `json:"props,omitempty"`
}

// Snapshot returns the whole configuration as JSON: sorted, so that two equal
// configurations give equal bytes, and with everything that Restore needs.
func (s *Store) Snapshot() ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	snap := snapshot{Version: s.opts.Version, Generation: s.generation, VSIndex: s.vsIndex}
	for _, byKey := range s.objects {
		for _, o := range byKey {
			snap.Objects = append(snap.Objects, snapshotObject{
				Kind: o.Kind.Path, Parent: o.Parent, Path: o.Path, Name: o.Name, Partition: o.Partition,
				SubPath: o.SubPath, Generation: o.Generation, Stock: o.Stock, Props: o.Props,
			})
		}
	}
	slices.SortFunc(snap.Objects, func(a, b snapshotObject) int {
		return compareKeys(Key{a.Kind, a.Parent, a.Path}, Key{b.Kind, b.Parent, b.Path})
	})
	return json.MarshalIndent(snap, "", " ")
}

// Restore replaces the whole configuration by that of a snapshot. Watchers
// are told of every object that was and that is.
func (s *Store) Restore(data []byte) error {
	v, err := DecodeJSON(data)
	if err != nil {
		return fmt.Errorf("restoring a snapshot: %w", err)
	}
	var snap snapshot
	if err := json.Unmarshal(data, &snap); err != nil {
		return fmt.Errorf("restoring a snapshot: %w", err)
	}
	objects, err := s.decodeObjects(snap, v)
	if err != nil {
		return fmt.Errorf("restoring a snapshot: %w", err)
	}
	s.commit.Lock()
	defer s.commit.Unlock()
	s.notify(s.replaceAll(snap, objects))
	return nil
}

// decodeObjects pairs the typed decoding with the one that keeps integers.
func (s *Store) decodeObjects(snap snapshot, raw any) ([]*Object, error) {
	top, _ := raw.(map[string]any)
	list, _ := top["objects"].([]any)
	out := make([]*Object, 0, len(snap.Objects))
	for i, so := range snap.Objects {
		k, ok := s.kinds[so.Kind]
		if !ok {
			return nil, fmt.Errorf("no kind %q", so.Kind)
		}
		entry, _ := list[i].(map[string]any)
		props, _ := entry["props"].(map[string]any)
		if props == nil {
			props = make(map[string]any)
		}
		out = append(out, &Object{
			Kind: k, Parent: so.Parent, Path: so.Path, Name: so.Name, Partition: so.Partition,
			SubPath: so.SubPath, Generation: so.Generation, Stock: so.Stock, Props: props,
		})
	}
	// What others are indexed by comes first: partitions have the route
	// domains of addresses, virtual addresses those of virtual servers.
	slices.SortStableFunc(out, func(a, b *Object) int { return restoreRank(a) - restoreRank(b) })
	return out, nil
}

func restoreRank(o *Object) int {
	switch o.Kind.Path {
	case partitionKind:
		return 0
	case virtualAddressKind:
		return 1
	}
	return 2
}

func (s *Store) replaceAll(snap snapshot, objects []*Object) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := make(map[Key]bool)
	for _, byKey := range s.objects {
		for k := range byKey {
			seen[k] = true
		}
	}
	s.clear()
	s.generation, s.vsIndex = snap.Generation, snap.VSIndex
	for _, o := range objects {
		s.link(o)
		seen[o.Key()] = true
	}
	keys := make([]Key, 0, len(seen))
	for k := range seen {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, compareKeys)
	return keys
}

// State is a configuration at one commit, kept in memory.
type State struct {
	generation, vsIndex int64
	objects             []*Object
}

// Capture returns the configuration as it is. Objects are immutable, so it
// costs little.
func (s *Store) Capture() *State {
	s.mu.RLock()
	defer s.mu.RUnlock()
	st := &State{generation: s.generation, vsIndex: s.vsIndex}
	for _, byKey := range s.objects {
		for _, o := range byKey {
			st.objects = append(st.objects, o)
		}
	}
	slices.SortFunc(st.objects, func(a, b *Object) int {
		if c := restoreRank(a) - restoreRank(b); c != 0 {
			return c
		}
		return compareKeys(a.Key(), b.Key())
	})
	return st
}

// Reinstate replaces the whole configuration by one captured from this Store,
// as Restore does.
func (s *Store) Reinstate(st *State) {
	s.commit.Lock()
	defer s.commit.Unlock()
	s.notify(s.replaceAll(snapshot{Generation: st.generation, VSIndex: st.vsIndex}, st.objects))
}
