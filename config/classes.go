package config

import (
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strings"

	"landbridge.dev/config/annotation"
)

// classes checks each setting of each class as if an annotation held it.
func (k *checker) classes(classes map[string]Class) {
	for _, name := range slices.Sorted(maps.Keys(classes)) {
		at := "classes." + name
		if !label.MatchString(name) {
			k.bad(at, "%q must be a DNS label", name)
		}
		for _, key := range slices.Sorted(maps.Keys(classes[name])) {
			known, ok := annotation.Find(key)
			switch {
			case !ok || !known.Class:
				k.bad(at+"."+key, "is no setting of a class; those are: %s", strings.Join(annotation.ClassKeys(), ", "))
			default:
				if err := known.Check(string(classes[name][key])); err != nil {
					k.bad(at+"."+key, "%v", err)
				}
			}
		}
	}
}

// grants checks what a tenant may name besides addresses.
func (k *checker) grants(at string, c *Config, t *Tenant) {
	for i, name := range t.Classes {
		_, there := c.Classes[name]
		if !there && !isGlob(name) {
			k.bad(fmt.Sprintf("%s.classes[%d]", at, i), "there is no class named %q", name)
		}
	}
	for _, g := range []struct {
		name  string
		given []string
	}{
		{"profiles", t.Profiles}, {"irules", t.IRules}, {"ltmPolicies", t.LTMPolicies}, {"vlans", t.VLANs},
		{"snatPools", t.SNATPools}, {"monitors", t.Monitors}, {"persistence", t.Persistence},
		{"joinPools", t.JoinPools}, {"borrow", t.Borrow}, {"adopt", t.Adopt},
	} {
		for i, p := range g.given {
			if _, err := path.Match(p, ""); err != nil || !annotation.IsPath(strings.NewReplacer("*", "x", "?", "x").Replace(p)) {
				k.bad(fmt.Sprintf("%s.%s[%d]", at, g.name, i), "%q must be a full path such as /Common/name, in which * may stand for anything but /", p)
			}
		}
	}
}

// vmCIDRs checks the networks of a tenant's VMs.
func (k *checker) vmCIDRs(at string, t *Tenant) {
	for i, s := range t.VMCIDRs {
		if p, err := netip.ParsePrefix(s); err != nil || p.Masked() != p {
			k.bad(fmt.Sprintf("%s.vmCIDRs[%d]", at, i), "%q must be a prefix such as 10.20.0.0/16, without bits past its length", s)
		}
	}
}

func isGlob(name string) bool { return strings.ContainsAny(name, "*?[") }

// Granted says whether one of a tenant's names or globs is this name.
func Granted(given []string, name string) bool {
	return slices.ContainsFunc(given, func(pattern string) bool {
		ok, err := path.Match(pattern, name)
		return err == nil && ok
	})
}
