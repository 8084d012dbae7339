// Package mcp is the configuration state machine of the simulated BIG-IP,
// named for the daemon that holds it on a device (mcpd).
//
// It knows kinds of objects by their schema (properties, types, defaults,
// references), keeps the objects, validates every change against all others,
// and commits changes in transactions that hold wholly or not at all. It does
// no I/O and knows nothing of HTTP; package rest gives it a voice and package
// tmm carries traffic as it says.
//
// A kind is one table (see kinds_*.go): adding a kind to the simulator is
// adding a table, and a hook where its behaviour is more than a table can say.
package mcp

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// Key names one object of the configuration. Parent is the full path of the
// pool, virtual server or the like that the object is an item of, and empty
// for objects of top-level kinds.
type Key struct {
	Kind   string // "ltm/pool", "ltm/pool/members"
	Parent string // "/web/p" for a member of that pool
	Path   string // full path: "/web/10.0.0.1:80"
}

// String renders the key for logs and errors.
func (k Key) String() string {
	if k.Parent == "" {
		return k.Kind + " " + k.Path
	}
	return k.Kind + " " + k.Parent + " " + k.Path
}

// Options says how a new configuration begins.
type Options struct {
	// Version is the TMOS version: "14.1.2.1" (the default) or "17.1.x".
	Version string
	// Hostname of the unit; default "bigip01.lab.local".
	Hostname string
	// Clock gives the time for creationTime and the like; default time.Now.
	Clock func() time.Time
}

// Store is the whole configuration of one device. It is safe for concurrent
// use: readers see committed states only, writers are serialised as they are
// by mcpd.
type Store struct {
	opts  Options
	kinds map[string]*Kind

	commit sync.Mutex // held for the whole of an update, its notifications included

	mu         sync.RWMutex
	objects    map[string]map[Key]*Object // by kind
	children   map[Key]map[Key]*Object    // by parent's key
	shared     map[string]map[string]*Object
	referrers  map[target]map[Key]int
	addresses  map[string]Key // node and virtual-address owners by "kind addr%rd"
	generation int64
	vsIndex    int64
	statuses   map[Key]Status
	print      string // Fingerprint; empty when an object changed since

	watchMu  sync.Mutex
	watchers []func([]Key)
}

// New returns a configuration that holds what a fresh device holds: the
// partition Common, its folders, stock monitors, profiles, and the device
// itself.
func New(o Options) *Store {
	if o.Version == "" {
		o.Version = "14.1.2.1"
	}
	if o.Hostname == "" {
		o.Hostname = "bigip01.lab.local"
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	s := &Store{opts: o, kinds: make(map[string]*Kind)}
	for _, k := range allKinds(o) {
		s.register(k)
	}
	s.clear()
	s.loadStock()
	return s
}

func (s *Store) clear() {
	s.objects = make(map[string]map[Key]*Object)
	s.children = make(map[Key]map[Key]*Object)
	s.shared = make(map[string]map[string]*Object)
	s.referrers = make(map[target]map[Key]int)
	s.addresses = make(map[string]Key)
	s.statuses = make(map[Key]Status)
}

func (s *Store) register(k *Kind) {
	s.kinds[k.Path] = k
	for _, sub := range k.Subs {
		sub.parent = k
		sub.Path = k.Path + "/" + sub.Collection
		s.register(sub)
	}
}

// Version returns the TMOS version that the configuration speaks.
func (s *Store) Version() string { return s.opts.Version }

// Hostname returns the name of the unit.
func (s *Store) Hostname() string { return s.opts.Hostname }

// Kind returns the schema of a kind by its path, such as "ltm/pool" or
// "ltm/pool/members".
func (s *Store) Kind(path string) (*Kind, bool) {
	k, ok := s.kinds[path]
	return k, ok
}

// KindsBelow returns the paths of the kinds and collections directly below a
// path, sorted: for "ltm/monitor" those of each monitor type.
func (s *Store) KindsBelow(path string) []string {
	seen := make(map[string]bool)
	for p, k := range s.kinds {
		if k.parent != nil {
			continue
		}
		if rest, ok := strings.CutPrefix(p, path+"/"); ok {
			first, _, _ := strings.Cut(rest, "/")
			seen[path+"/"+first] = true
		}
	}
	out := make([]string, 0, len(seen))
	for p := range seen {
		out = append(out, p)
	}
	slices.Sort(out)
	return out
}

// Get returns a committed object. What it returns is never changed
// afterwards, so it may be read without a lock, and must not be written.
func (s *Store) Get(k Key) (*Object, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	o, ok := s.objects[k.Kind][k]
	return o, ok
}

// List returns the objects of a kind, those of one parent if parent is not
// empty, sorted by full path.
func (s *Store) List(kind, parent string) []*Object {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.list(kind, parent)
}

func (s *Store) list(kind, parent string) []*Object {
	var out []*Object
	if parent != "" {
		if k := s.kinds[kind]; k != nil && k.parent != nil {
			for _, o := range s.children[k.ParentKey(parent)] {
				if o.Kind.Path == kind {
					out = append(out, o)
				}
			}
		}
	} else {
		for _, o := range s.objects[kind] {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *Object) int {
		if c := strings.Compare(a.Path, b.Path); c != 0 {
			return c
		}
		return strings.Compare(a.Parent, b.Parent)
	})
	return out
}

// Find returns the object that a reference such as ("ltm/pool", "/web/p") or
// ("ltm/profile/", "/Common/tcp") names; a group ends in a slash and stands
// for all kinds below it, which share their names.
func (s *Store) Find(group, path string) (*Object, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.find(group, path)
}

func (s *Store) find(group, path string) (*Object, bool) {
	if strings.HasSuffix(group, "/") {
		o, ok := s.shared[group][path]
		return o, ok
	}
	o, ok := s.objects[group][Key{Kind: group, Path: path}]
	return o, ok
}

// Referrers returns the keys of all objects that name the given one, sorted.
func (s *Store) Referrers(k Key) []Key {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.referrersOf(k)
}

func (s *Store) referrersOf(k Key) []Key {
	var out []Key
	for _, t := range s.targetsOf(k) {
		for r := range s.referrers[t] {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, compareKeys)
	return slices.Compact(out)
}

func compareKeys(a, b Key) int {
	if c := strings.Compare(a.Kind, b.Kind); c != 0 {
		return c
	}
	if c := strings.Compare(a.Parent, b.Parent); c != 0 {
		return c
	}
	return strings.Compare(a.Path, b.Path)
}

// Generation returns the number of the last commit.
func (s *Store) Generation() int64 {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.generation
}

// Watch calls f with the keys that each commit changed, in the order of the
// commits and before the committing call returns. f must not write to the
// Store.
func (s *Store) Watch(f func(changed []Key)) {
	s.watchMu.Lock()
	defer s.watchMu.Unlock()
	s.watchers = append(s.watchers, f)
}

func (s *Store) notify(changed []Key) {
	s.watchMu.Lock()
	watchers := slices.Clone(s.watchers)
	s.watchMu.Unlock()
	for _, f := range watchers {
		f(changed)
	}
}

// mustKind returns a kind that the simulator itself names.
func (s *Store) mustKind(path string) *Kind {
	k, ok := s.kinds[path]
	if !ok {
		panic(fmt.Sprintf("mcp: no kind %q", path))
	}
	return k
}
