package config

import (
	"net/netip"
	"path"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"landbridge.dev/config/annotation"
)

// Covers says whether the tenant's entry is about a namespace, by its name or
// its labels.
func (t Tenant) Covers(namespace string, namespaceLabels map[string]string) bool {
	if t.NamespaceSelector != "" {
		selector, err := labels.Parse(t.NamespaceSelector)
		return err == nil && selector.Matches(labels.Set(namespaceLabels))
	}
	return slices.ContainsFunc(t.Namespaces, func(pattern string) bool {
		ok, err := path.Match(pattern, namespace)
		return err == nil && ok
	})
}

// NeedsApproval says whether some entry has what Services of a namespace ask for
// approved.
func (c *Config) NeedsApproval(namespace string, namespaceLabels map[string]string) bool {
	return slices.ContainsFunc(c.Tenants, func(t Tenant) bool {
		return t.Approval == annotation.Required && t.Covers(namespace, namespaceLabels)
	})
}

// GrantsDevice says whether the entry allows a device; without a list all.
func (t Tenant) GrantsDevice(name string) bool {
	return len(t.Devices) == 0 || slices.Contains(t.Devices, name)
}

// GrantsVM says whether a VM member may have an address.
func (t Tenant) GrantsVM(a netip.Addr) bool {
	return slices.ContainsFunc(t.VMCIDRs, func(s string) bool {
		p, err := netip.ParsePrefix(s)
		return err == nil && p.Contains(a)
	})
}

// GrantsPartition says whether the entry allows a partition.
func (t Tenant) GrantsPartition(name string) bool { return slices.Contains(t.Partitions, name) }

// PartitionsOn are the partitions of a device in which tenants may have
// something made or changed, sorted.
func (c *Config) PartitionsOn(device string) []string {
	var partitions []string
	for _, t := range c.Tenants {
		if !t.GrantsDevice(device) {
			continue
		}
		partitions = append(partitions, t.Partitions...)
		for _, object := range slices.Concat(t.JoinPools, t.Borrow, t.Adopt) { // "/web/legacy_*"
			first, _, _ := strings.Cut(strings.TrimPrefix(object, "/"), "/")
			if first != "" && !strings.Contains(first, "*") {
				partitions = append(partitions, first)
			}
		}
	}
	slices.Sort(partitions)
	return slices.Compact(partitions)
}
