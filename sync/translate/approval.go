package translate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// Approval is by what is to stand, and not by the way there: a drain that goes
// on after a restart, a member that follows its pod, or something of ours that
// is put back needs none anew. It is over every setting, be it written on the
// Service or in the configuration, and not over members, which follow the
// cluster.

// approve has a Service wait that needs an approval and does not have it, given
// the objects that it asks a device for. What is announced is held here: no
// speaker remembers it. Of all else the plan knows what stands.
func (t *translation) approve(result *Result, objects []state.Object) {
	result.Want.Approval = t.pending(objects, result.LastGood)
	if result.Want.Approval == nil || result.Want.Mode == state.Still {
		return
	}
	if result.Want.Live == nil {
		result.Want.Live = t.live()
	}
	if result.Want.Routes > state.Follow || result.LastGood == LastGoodRoutes(t.Service) {
		return
	}
	result.Problems = append(result.Problems, result.Want.Approval.Problem(t.ref))
	if t.Ahead {
		return
	}
	result.Want.Routes = state.Hold
	result.Want.Objects = slices.DeleteFunc(result.Want.Objects, func(o state.Object) bool { return o.ID().Kind == state.KindRoute })
	standing, remembered := t.lastGood()
	result.Want.Objects = append(result.Want.Objects, standing...)
	result.LastGood = remembered
}

// pending is the approval that the Service waits for; nil for none.
func (t *translation) pending(objects []state.Object, routes string) *state.Approval {
	needed := strings.TrimSpace(t.Service.Annotations[Prefix+"approval"]) == annotation.Required ||
		t.Config.NeedsApproval(t.ref.Namespace, t.NamespaceLabels)
	if !needed {
		return nil
	}
	a := &state.Approval{
		Hash: t.hash(objects, routes), Given: strings.TrimSpace(t.Service.Annotations[Prefix+"approved"]),
		Listed: slices.SortedFunc(maps.Keys(t.listed), state.Endpoint.Compare),
	}
	if a.Hash == a.Given {
		return nil
	}
	return a
}

// hash names all that is asked for: 128 bits, so that nobody finds two requests
// with one.
func (t *translation) hash(objects []state.Object, routes string) string {
	lines := []string{
		"cluster " + t.Identity.Cluster, "service " + t.ref.String(), "routes " + routes,
		"deleted " + strconv.FormatBool(t.Service.DeletionTimestamp != nil),
		"deletion-policy " + t.Service.Annotations[Prefix+"deletion-policy"],
	}
	for _, o := range objects {
		for _, line := range t.decided(o) {
			lines = append(lines, o.ID().String()+" "+line)
		}
	}
	for key, value := range t.Service.Annotations {
		if part, ok := partOf(key); ok && part == annotation.Queue {
			lines = append(lines, key+" "+value)
		}
	}
	slices.Sort(lines)
	sum := sha256.Sum256(fmt.Appendf(nil, "%q", lines))
	return hex.EncodeToString(sum[:16])
}

// decided is what a person decides of an object: all but the members that the
// cluster or a registry knows of.
func (t *translation) decided(o state.Object) []string {
	p, ok := o.(*state.Pool)
	if !ok {
		lines := o.Lines()
		if v, ok := o.(*state.VirtualServer); ok {
			lines = append(lines, fmt.Sprintf("named %v", v.Named))
		}
		return lines
	}
	lines := append(p.Settings(), fmt.Sprintf("named %v", p.Named), fmt.Sprintf("share %+v", p.Share))
	for _, m := range p.Members {
		if m.VM && t.listed[m.Endpoint] {
			lines = append(lines, "vm "+m.Endpoint.String())
		}
	}
	return lines
}
