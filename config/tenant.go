package config

import (
	"path"
	"slices"

	"k8s.io/apimachinery/pkg/labels"
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

// GrantsDevice says whether the entry allows a device; without a list all.
func (t Tenant) GrantsDevice(name string) bool {
	return len(t.Devices) == 0 || slices.Contains(t.Devices, name)
}

// GrantsPartition says whether the entry allows a partition.
func (t Tenant) GrantsPartition(name string) bool { return slices.Contains(t.Partitions, name) }
