package config

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/labels"

	"landbridge.dev/config/annotation"
)

const (
	defaultResync = 5 * time.Minute
	leastResync   = time.Second
	leastWindow   = time.Second
	leastSave     = 10 * time.Second
	mostHosts     = 2
	mostCalls     = 8
	mostCluster   = 20
)

var (
	label     = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`)
	uid       = regexp.MustCompile(`^[0-9a-f]{8}$`)
	glob      = regexp.MustCompile(`^[-a-z0-9*]+$`)
	partition = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_.-]*$`)
	// A device group stands in /Common.
	deviceGroup = regexp.MustCompile(`^(/Common/)?[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
)

// checker gathers what is wrong, each with its path.
type checker struct{ errs []error }

func (k *checker) bad(path, format string, args ...any) {
	k.errs = append(k.errs, fmt.Errorf("%s: %s", path, fmt.Sprintf(format, args...)))
}

func validate(c *Config) []error {
	k := &checker{}
	if c.APIVersion != APIVersion {
		k.bad("apiVersion", "is %q, must be %q", c.APIVersion, APIVersion)
	}
	if c.Kind != Kind {
		k.bad("kind", "is %q, must be %q", c.Kind, Kind)
	}
	k.cluster("cluster", c.Cluster)
	for i, name := range c.FormerClusters {
		k.cluster(fmt.Sprintf("formerClusters[%d]", i), name)
	}
	for i, u := range c.FormerUIDs {
		if !uid.MatchString(u) {
			k.bad(fmt.Sprintf("formerUIDs[%d]", i), "%q must be the first 8 hex digits of a kube-system namespace's UID", u)
		}
	}
	for i, n := range c.Namespaces {
		if !label.MatchString(n) {
			k.bad(fmt.Sprintf("namespaces[%d]", i), "%q is not a namespace's name", n)
		}
	}
	if c.Mode != ModeApply && c.Mode != ModePlan {
		k.bad("mode", "%q must be apply or plan", c.Mode)
	}
	k.mq(c.MQ)
	if p := *c.Brakes.MaxDeletePercent; p < 0 || p > 100 {
		k.bad("brakes.maxDeletePercent", "%d must be 0 to 100", p)
	}
	if w := time.Duration(*c.Brakes.Window); w < leastWindow {
		k.bad("brakes.window", "must be at least %s", leastWindow)
	}
	if n := *c.Brakes.MinDelete; n < 0 {
		k.bad("brakes.minDelete", "%d must be at least 0", n)
	}
	k.devices(c)
	k.bgp(c)
	k.addressPools(c)
	k.classes(c.Classes)
	for i := range c.Tenants {
		k.tenant(fmt.Sprintf("tenants[%d]", i), c, &c.Tenants[i])
	}
	return k.errs
}

func (k *checker) cluster(path, name string) {
	if !label.MatchString(name) || len(name) > mostCluster {
		k.bad(path, "%q must be a DNS label (a-z, 0-9, -) of at most %d characters", name, mostCluster)
	}
}

func (k *checker) devices(c *Config) {
	seen := map[string]bool{}
	for i, b := range c.BIGIP {
		path := fmt.Sprintf("bigip[%d]", i)
		if !label.MatchString(b.Name) {
			k.bad(path+".name", "%q must be a DNS label", b.Name)
		}
		if seen[b.Name] {
			k.bad(path+".name", "%q is there twice", b.Name)
		}
		seen[b.Name] = true
		k.device(path, b)
	}
}

func (k *checker) device(path string, b BIGIP) {
	if len(b.Hosts) == 0 {
		k.bad(path+".hosts", "is empty; give the https URL of each unit")
	}
	if len(b.Hosts) > mostHosts {
		k.bad(path+".hosts", "has %d units, must be at most %d of one device group", len(b.Hosts), mostHosts)
	}
	for i, h := range b.Hosts {
		if slices.Contains(b.Hosts[:i], h) {
			k.bad(fmt.Sprintf("%s.hosts[%d]", path, i), "is there twice")
		}
		u, err := url.Parse(h)
		if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || (u.Path != "" && u.Path != "/") || u.RawQuery != "" {
			k.bad(fmt.Sprintf("%s.hosts[%d]", path, i), "must be https://HOST or https://HOST:PORT, without a path or a password")
		}
	}
	if b.CredentialsDir == "" {
		k.bad(path+".credentialsDir", "is empty; name the folder with the files username and password")
	}
	if b.CAFile != "" && b.InsecureSkipVerify {
		k.bad(path+".insecureSkipVerify", "contradicts caFile; write one of them")
	}
	if b.MemberType != "pod" && b.MemberType != "nodeport" {
		k.bad(path+".memberType", "%q must be pod or nodeport", b.MemberType)
	}
	if !partition.MatchString(b.NodePartition) {
		k.bad(path+".nodePartition", "%q must be a partition's name, or same", b.NodePartition)
	}
	if _, err := labels.Parse(b.NodePort.NodeSelector); err != nil {
		k.bad(path+".nodePort.nodeSelector", "%v", err)
	}
	if b.NodePort.MaxNodes < 1 {
		k.bad(path+".nodePort.maxNodes", "must be at least 1")
	}
	if r := b.Resync(); r != 0 && r < leastResync {
		k.bad(path+".resyncInterval", "must be 0s (never) or at least %s", leastResync)
	}
	if b.MaxConcurrentCalls < 1 || b.MaxConcurrentCalls > mostCalls {
		k.bad(path+".maxConcurrentCalls", "%d must be 1 to %d", b.MaxConcurrentCalls, mostCalls)
	}
	for i, a := range b.FloatingSelfIPs {
		k.unicast(fmt.Sprintf("%s.floatingSelfIPs[%d]", path, i), a)
	}
	if b.ConfigSync != "" && !deviceGroup.MatchString(b.ConfigSync) {
		k.bad(path+".configSync", "%q must be the name of a device group", b.ConfigSync)
	}
	if s := time.Duration(b.SaveConfig); s != 0 && s < leastSave {
		k.bad(path+".saveConfig", "must be 0s (never) or at least %s", leastSave)
	}
}

func (k *checker) addressPools(c *Config) {
	seen := map[string]bool{}
	for i, p := range c.AddressPools {
		path := fmt.Sprintf("addressPools[%d]", i)
		if !label.MatchString(p.Name) {
			k.bad(path+".name", "%q must be a DNS label", p.Name)
		}
		if seen[p.Name] {
			k.bad(path+".name", "%q is there twice", p.Name)
		}
		seen[p.Name] = true
		if len(p.Ranges) == 0 {
			k.bad(path+".ranges", "is empty")
		}
		for j, r := range p.Ranges {
			for n, q := range c.AddressPools[:i+1] {
				for m, s := range q.Ranges {
					if (n < i || m < j) && r.Overlaps(s) {
						k.bad(fmt.Sprintf("%s.ranges[%d]", path, j), "%s overlaps addressPools[%d].ranges[%d]", r, n, m)
					}
				}
			}
		}
	}
}

func (k *checker) tenant(path string, c *Config, t *Tenant) {
	if len(t.Namespaces) == 0 && t.NamespaceSelector == "" {
		k.bad(path+".namespaces", "is empty; name namespaces, or give a namespaceSelector")
	}
	if len(t.Namespaces) > 0 && t.NamespaceSelector != "" {
		k.bad(path+".namespaceSelector", "contradicts namespaces; write one of them")
	}
	for i, n := range t.Namespaces {
		if !glob.MatchString(n) {
			k.bad(fmt.Sprintf("%s.namespaces[%d]", path, i), "%q must be a namespace's name, in which * may stand for anything", n)
		}
	}
	if _, err := labels.Parse(t.NamespaceSelector); err != nil {
		k.bad(path+".namespaceSelector", "%v", err)
	}
	if t.Approval != "" && t.Approval != annotation.Required {
		k.bad(path+".approval", "%q must be required, or be left out", t.Approval)
	}
	for i, d := range t.Devices {
		if _, ok := c.Device(d); !ok {
			k.bad(fmt.Sprintf("%s.devices[%d]", path, i), "there is no bigip named %q", d)
		}
	}
	for i, p := range t.Partitions {
		if !partition.MatchString(p) {
			k.bad(fmt.Sprintf("%s.partitions[%d]", path, i), "%q is not a partition's name", p)
		}
	}
	for i, p := range t.AddressPools {
		if !slices.ContainsFunc(c.AddressPools, func(a AddressPool) bool { return a.Name == p }) {
			k.bad(fmt.Sprintf("%s.addressPools[%d]", path, i), "there is no address pool named %q", p)
		}
	}
	k.grants(path, c, t)
	k.vmCIDRs(path, t)
	k.queueGrants(path, c, t)
	k.bgpGrants(path, c, t)
	k.vmUsers(path, c, t)
}
