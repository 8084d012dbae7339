package f5

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"landbridge.dev/sync/apply"
)

// The roles that may write traffic objects: manager in its partitions, the
// others in all (BIG-IP User Account Administration, "User roles"). An
// application editor makes nothing, an operator only enables and disables.
const (
	roleAdmin         = "admin"
	roleResourceAdmin = "resource-admin"
	roleManager       = "manager"
	roleNone          = "no-access"

	everyPartition = "all-partitions"
)

// kind is something that is read and written on a device.
type kind struct {
	name string // for a person, plural
	path string // of its collection
	body map[string]any
}

// A creation that is tried needs properties that stand where the role is looked
// at. The address is one for documentation (RFC 5737).
const (
	triedName    = "landbridge_check"
	triedAddress = "192.0.2.1"
)

// written are the kinds that are made in a Service's partition.
func written() []kind {
	return []kind{
		{"virtual servers", virtualsPath, map[string]any{"destination": triedAddress + ":1", "mask": "255.255.255.255", "ipProtocol": "tcp"}},
		{"pools", poolsPath, nil},
		{"monitors", monitorsPath + "tcp", nil},
		{"persistence profiles", persistencesPath, nil},
		{"data groups", groupsPath, map[string]any{"type": "ip"}},
		{"iRules", rulesPath, map[string]any{"apiAnonymous": "when CLIENT_ACCEPTED { }"}},
	}
}

// nodeKind is what is made in the partition of nodes.
func nodeKind() kind { return kind{"nodes", nodesPath, map[string]any{"address": triedAddress}} }

// readKinds are the kinds that are read, of all partitions.
func readKinds() []kind {
	kinds := []kind{
		{name: "virtual servers", path: virtualsPath}, {name: "virtual addresses", path: addressesPath},
		{name: "pools", path: poolsPath}, {name: "nodes", path: nodesPath},
		{name: "persistence profiles", path: persistencesPath}, {name: "data groups", path: groupsPath}, {name: "iRules", path: rulesPath},
	}
	for _, t := range monitorTypes() {
		kinds = append(kinds, kind{name: t + " monitors", path: monitorsPath + t})
	}
	return kinds
}

// rights finds out what the user may do.
func (c *unitCheck) rights(ctx context.Context) {
	c.mayRead(ctx)
	partitions, complete := c.partitions(ctx)
	access, err := c.access(ctx)
	if err != nil {
		access = nil
	}
	if access != nil && complete {
		c.blind(access, partitions)
	}
	if c.needs.ReadOnly {
		c.find("write", OK, "is not needed: the configuration says mode: plan")
		return
	}
	for _, p := range c.written() {
		switch {
		case complete && !slices.Contains(partitions, p.name): // said before
		case access != nil:
			c.mayWrite(access, p)
		default:
			c.tryWrite(ctx, p)
		}
	}
	c.mayRun(access)
}

// writtenPlace is a partition, and what is made there.
type writtenPlace struct {
	name  string
	kinds []kind
}

// written are the partitions in which something is made, sorted.
func (c *unitCheck) written() []writtenPlace {
	kinds := map[string][]kind{}
	for _, p := range c.needs.Partitions {
		kinds[p] = written()
	}
	for _, p := range c.needs.NodePartitions {
		kinds[p] = append(kinds[p], nodeKind())
	}
	var places []writtenPlace
	for _, p := range slices.Sorted(maps.Keys(kinds)) {
		places = append(places, writtenPlace{p, kinds[p]})
	}
	return places
}

func (c *unitCheck) mayRead(ctx context.Context) {
	var refused, kinds []string
	for _, k := range readKinds() {
		var page collection[struct{}]
		err := c.session.get(ctx, k.path+"?$select=fullPath&$top=1", &page)
		switch {
		case refusedByRole(err):
			refused = append(refused, k.name)
		case err != nil:
			c.fail("read", fmt.Errorf("%s: %w", k.name, err))
			return
		default:
			kinds = append(kinds, k.name)
		}
	}
	if len(refused) > 0 {
		c.find("read", Problem, "user %s may not read %s: needs the role guest in each partition", c.user, words(refused))
		return
	}
	c.find("read", OK, "user %s may read %s", c.user, words(kinds))
}

// partitions are those that the user sees, if the device tells. What is
// needed and is not there is a problem.
func (c *unitCheck) partitions(ctx context.Context) (names []string, complete bool) {
	type partitionWire struct {
		Name string `json:"name"`
	}
	p := pages[partitionWire]{
		session: c.session, path: "auth/partition?$select=name", size: plainPage,
		key:   func(w *partitionWire) string { return w.Name },
		reset: func() { names = nil },
		each:  func(w *partitionWire) { names = append(names, w.Name) },
	}
	if err := p.read(ctx); err != nil {
		if refusedByRole(err) {
			c.find("partitions", Warning, "user %s may not list partitions, so that a missing one is only found when it is written to", c.user)
		} else {
			c.fail("partitions", err)
		}
		return nil, false
	}
	var missing []string
	for _, p := range c.written() {
		if !slices.Contains(names, p.name) {
			missing = append(missing, p.name)
		}
	}
	if len(missing) > 0 {
		c.find("partitions", Problem, "%s: not on the device, or user %s may not see it; make it there, or take it out of tenants and nodePartition", words(missing), c.user)
	} else {
		c.find("partitions", OK, "%d, all that the configuration names among them", len(names))
	}
	return names, true
}

// roleIn is the user's role in a partition; empty for none. What is in Common
// can be read by whoever has a role anywhere.
func roleIn(access []partitionAccess, partition string) string {
	role := ""
	for _, a := range access {
		switch {
		case a.Role == roleNone:
		case a.Name == partition:
			return a.Role
		case a.Name == everyPartition:
			role = a.Role
		}
	}
	return role
}

// blind warns of partitions of which the user sees nothing. A node there keeps
// its address from all others, and is not found.
func (c *unitCheck) blind(access []partitionAccess, partitions []string) {
	var unseen []string
	for _, p := range partitions {
		written := slices.ContainsFunc(c.written(), func(w writtenPlace) bool { return w.name == p })
		if p != commonPartition && (c.needs.ReadOnly || !written) && roleIn(access, p) == "" {
			unseen = append(unseen, "/"+p)
		}
	}
	if len(unseen) > 0 {
		c.find("read", Warning, "user %s sees nothing in %s: a pod whose address is a node there cannot become a member; needs the role guest there", c.user, words(unseen))
	}
}

// mayWrite says by the role whether the user may write in a partition.
func (c *unitCheck) mayWrite(access []partitionAccess, p writtenPlace) {
	names := words(namesOf(p.kinds))
	switch role := roleIn(access, p.name); role {
	case roleAdmin, roleResourceAdmin:
		c.find("write", OK, "user %s may write %s in /%s, as %s; the role manager is enough", c.user, names, p.name, role)
	case roleManager:
		c.find("write", OK, "user %s may write %s in /%s, as manager", c.user, names, p.name)
	case "":
		c.find("write", Problem, "user %s may not write %s in /%s: needs role manager there, and has none", c.user, names, p.name)
	default:
		c.find("write", Problem, "user %s may not write %s in /%s: needs role manager there, and is %s", c.user, names, p.name, role)
	}
}

// tryWrite finds out whether the user may write in a partition where the
// device does not say what roles the user has.
func (c *unitCheck) tryWrite(ctx context.Context, p writtenPlace) {
	var denied []kind
	for _, k := range p.kinds {
		may, err := c.try(ctx, k, p.name)
		if err != nil {
			c.find("write", Warning, "whether user %s may write %s in /%s is not known: the device does not show the user's roles, and a dry run failed: %v", c.user, k.name, p.name, err)
			return
		}
		if !may {
			denied = append(denied, k)
		}
	}
	if len(denied) > 0 {
		c.find("write", Problem, "user %s may not write %s in /%s: needs role manager there", c.user, words(namesOf(denied)), p.name)
		return
	}
	c.find("write", OK, "user %s may write %s in /%s, by a dry run", c.user, words(namesOf(p.kinds)), p.name)
}

// try queues the creation of an object and then the removal of one that is not
// there, and has that validated. It cannot have an effect: validateOnly asks for
// none, and where a device did not heed it, the removal would fail, and with it
// the whole transaction. Which of the two is refused tells the roles: the first,
// for them, or for anything else and the second.
func (c *unitCheck) try(ctx context.Context, k kind, partition string) (may bool, err error) {
	id, err := c.session.begin(ctx)
	if err != nil {
		return false, err
	}
	defer c.session.abandon(ctx, id)
	body := map[string]any{"name": triedName, "partition": partition}
	maps.Copy(body, k.body)
	for _, queued := range []command{
		{method: http.MethodPost, path: k.path, body: body},
		{method: http.MethodDelete, path: objectPath(k.path, "/"+partition+"/"+triedName+"_absent")},
	} {
		if err := c.session.queue(ctx, id, queued); err != nil {
			return c.tried(err)
		}
	}
	_, err = c.session.call(ctx, http.MethodPatch, transactionsPath+"/"+id, map[string]any{"validateOnly": true, "state": "VALIDATING"})
	return c.tried(err)
}

// tried reads how a dry run was refused.
func (c *unitCheck) tried(err error) (may bool, unknown error) {
	if err == nil {
		return true, nil
	}
	if refusedByRole(err) {
		return false, nil
	}
	if out, _, _ := classify(err); out != apply.Refused {
		return false, err
	}
	return true, nil
}

// mayRun says whether the user may save and sync, where that is asked for.
func (c *unitCheck) mayRun(access []partitionAccess) {
	var wanted []string
	if c.opts.SaveConfig > 0 {
		wanted = append(wanted, "save the configuration (saveConfig)")
	}
	if c.opts.ConfigSync != "" {
		wanted = append(wanted, "sync the device group (configSync)")
	}
	if len(wanted) == 0 {
		return
	}
	everywhere := ""
	for _, a := range access {
		if a.Name == everyPartition {
			everywhere = a.Role
		}
	}
	switch {
	case access == nil:
		c.find("save", Warning, "whether user %s may %s is not known: the device does not show the user's roles", c.user, words(wanted))
	case everywhere == roleAdmin || everywhere == roleResourceAdmin || everywhere == roleManager:
		c.find("save", OK, "user %s may %s, as %s", c.user, words(wanted), everywhere)
	default:
		c.find("save", Problem, "user %s may not %s: needs role manager for all-partitions", c.user, words(wanted))
	}
}

func namesOf(kinds []kind) []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

// words writes "a", "a and b", "a, b and c".
func words(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " and " + list[len(list)-1]
}
