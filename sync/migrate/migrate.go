// Package migrate writes manifests of Services with which a migration from a
// BIG-IP begins: each joins the pool of a virtual server that stands there, or
// adopts it. It is pure.
package migrate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"landbridge.dev/sync/state"
)

// Options say what is written.
type Options struct {
	// Device is the configured name of the BIG-IP.
	Device string
	// Adopt has the Services adopt virtual servers; otherwise they join
	// their pools.
	Adopt bool
	// Namespace is where the Services shall be.
	Namespace string
	// Selector is what their pods are labelled; with none it is left to be
	// filled in.
	Selector map[string]string
	// Virtuals are full paths of virtual servers; with none all are taken.
	Virtuals []string
}

// Manifests writes a Service for each virtual server in a set of what stands on
// a device, sorted by path, as YAML. What cannot be a Service is left out with
// a comment that says why, and so is what is not carried over. It is an error
// if a virtual server that is named is not there.
func Manifests(have *state.Set, o Options) (string, error) {
	virtuals, err := chosen(have, o.Virtuals)
	if err != nil {
		return "", err
	}
	w := &writer{Options: o, have: have, names: map[string]bool{}, pools: map[string]string{}}
	for _, v := range virtuals {
		w.virtual(v)
	}
	return w.head() + w.text.String(), nil
}

// chosen are the virtual servers that are asked for, sorted by path.
func chosen(have *state.Set, paths []string) ([]*state.VirtualServer, error) {
	byPath := map[string]*state.VirtualServer{}
	for v := range have.VirtualServers() {
		byPath[v.Path] = v
	}
	if len(paths) == 0 {
		paths = slices.Collect(maps.Keys(byPath))
	}
	var virtuals []*state.VirtualServer
	for _, path := range slices.Compact(slices.Sorted(slices.Values(paths))) {
		v, ok := byPath[path]
		if !ok {
			return nil, fmt.Errorf("virtual server %q is not there, or not to be seen with this user; write it as /PARTITION/NAME", path)
		}
		virtuals = append(virtuals, v)
	}
	return virtuals, nil
}

// writer is one call of Manifests.
type writer struct {
	Options
	have  *state.Set
	text  strings.Builder
	names map[string]bool   // of Services that are written
	pools map[string]string // written, and by which Service
	uses  []string          // paths that a tenant has to be granted
}

// head says what the manifests do, and what a tenant needs for it.
func (w *writer) head() string {
	var b strings.Builder
	if len(w.uses) == 0 {
		return "# Nothing on " + clean(w.Device) + " can be taken over.\n"
	}
	grant, what := "joinPools", "join pools"
	if w.Adopt {
		grant, what = "adopt", "adopt virtual servers"
	}
	fmt.Fprintf(&b, "# These Services %s of BIG-IP %s as they stand. Applied, they move no traffic:\n", what, clean(w.Device))
	fmt.Fprintf(&b, "# their pods become members that take nothing until a share is given, with `landbridge share`.\n")
	fmt.Fprintf(&b, "# The tenant of namespace %s needs, in the configuration:\n", clean(w.Namespace))
	fmt.Fprintf(&b, "#   devices: [%s]\n", clean(w.Device))
	fmt.Fprintf(&b, "#   %s: [%s]\n", grant, clean(strings.Join(w.uses, ", ")))
	return b.String()
}

// virtual writes the Service of a virtual server, or why there is none.
func (w *writer) virtual(v *state.VirtualServer) {
	pool, why := w.usable(v)
	if why != "" {
		fmt.Fprintf(&w.text, "---\n# %s is left out: %s\n", clean(v.Path), clean(why))
		return
	}
	name := w.name(v.Path)
	w.pools[pool.Path] = name
	key, path := "join-pool", pool.Path
	if w.Adopt {
		key, path = "adopt", v.Path
	}
	w.uses = append(w.uses, path)
	fmt.Fprintf(&w.text, "---\n# %s at %s, pool %s, %d members\n", clean(v.Path), clean(v.Frontend().String()), clean(pool.Path), len(pool.Members))
	for _, remark := range w.remarks(v, pool) {
		fmt.Fprintf(&w.text, "# %s\n", clean(remark))
	}
	fmt.Fprintf(&w.text, "apiVersion: v1\nkind: Service\nmetadata:\n  name: %s\n  namespace: %s\n  annotations:\n", name, quoted(w.Namespace))
	fmt.Fprintf(&w.text, "    landbridge.dev/device: %s\n    landbridge.dev/%s: %s\nspec:\n", quoted(w.Device), key, quoted(path))
	w.selector()
	if sixOnly(v, pool) {
		fmt.Fprint(&w.text, "  ipFamilyPolicy: SingleStack\n  ipFamilies: [IPv6]\n")
	}
	target, _ := targetPort(v, pool)
	fmt.Fprintf(&w.text, "  ports:\n    - name: %s\n      protocol: %s\n      port: %d\n      targetPort: %d\n",
		portName(v), strings.ToUpper(string(v.Protocol)), v.Destination.Port, target)
}

func (w *writer) selector() {
	if len(w.Selector) == 0 {
		fmt.Fprint(&w.text, "  # selector: {app: NAME} # fill in the labels of the pods; without it no pod becomes a member\n")
		return
	}
	fmt.Fprint(&w.text, "  selector:\n")
	for _, key := range slices.Sorted(maps.Keys(w.Selector)) {
		fmt.Fprintf(&w.text, "    %s: %s\n", quoted(key), quoted(w.Selector[key]))
	}
}

// usable is the pool of a virtual server that can be a Service, or why it
// cannot.
func (w *writer) usable(v *state.VirtualServer) (*state.Pool, string) {
	pool, found := w.have.Pool(v.Backend, v.Pool)
	switch {
	case v.Managed:
		return nil, "an application service (appService) manages it"
	case !v.Owner.IsZero():
		return nil, "it is of Landbridge already: " + v.Owner.Tag()
	case v.Pool == "":
		return nil, "it has no pool"
	case !found:
		return nil, "its pool " + v.Pool + " is not to be seen with this user"
	case pool.Managed:
		return nil, "an application service (appService) manages its pool " + pool.Path
	case !pool.Owner.IsZero():
		return nil, "its pool " + pool.Path + " is of Landbridge already: " + pool.Owner.Tag()
	case v.Protocol != state.TCP && v.Protocol != state.UDP:
		return nil, "it listens for protocol " + string(v.Protocol) + ", and a Service for TCP or UDP"
	case v.Destination.Port == 0:
		return nil, "it listens on every port, and a Service on those that it names"
	case w.pools[pool.Path] != "":
		return nil, "its pool " + pool.Path + " is that of Service " + w.pools[pool.Path] + " above, which serves it as well"
	}
	if _, ok := targetPort(v, pool); !ok {
		return nil, "the members of its pool " + pool.Path + " serve every port, and a pod those that it names"
	}
	return pool, ""
}
