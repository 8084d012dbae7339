package mcp

import "fmt"

// stock is one object that comes with a device.
type stock struct {
	kind, name, parent string // parent: defaultsFrom, or "none"
	props              string // JSON of what differs
}

// loadStock fills a fresh configuration. Objects of the base configuration
// have generation 1 (0 for monitors and partitions), as captured.
func (s *Store) loadStock() {
	s.base(folderKind, "/", map[string]any{"inheritedDevicegroup": "false", "inheritedTrafficGroup": "false"})
	s.base(folderKind, "/Common", nil)
	s.base(folderKind, "/Common/Drafts", nil)
	s.base(partitionKind, "Common", map[string]any{"description": "Repository for system objects and shared objects."})
	for _, f := range []string{"default.crt", "ca-bundle.crt", "f5-ca-bundle.crt"} {
		s.base("sys/file/ssl-cert", "/Common/"+f, nil)
	}
	s.base("sys/file/ssl-key", "/Common/default.key", nil)
	s.base("cm/cert", "/Common/dtdi.crt", nil)
	s.base("cm/key", "/Common/dtdi.key", nil)
	s.base("cm/traffic-group", "/Common/traffic-group-1", nil)
	s.base("cm/traffic-group", "/Common/traffic-group-local-only", map[string]any{"isFloating": "false", "unitId": int64(0)})
	s.base("cm/device", "/Common/"+s.opts.Hostname, map[string]any{"hostname": s.opts.Hostname})
	s.base("cm/device-group", "/Common/device_trust_group", map[string]any{"autoSync": "enabled"})
	s.base("cm/device-group", "/Common/gtm", nil)
	s.base("cm/trust-domain", "/Common/Root", nil)
	for i, name := range []string{"http-tunnel", "socks-tunnel"} {
		s.base("net/tunnels/tunnel", "/Common/"+name, map[string]any{"ifIndex": int64(112 + 16*i)})
	}
	s.base("net/route-domain", "/Common/0", map[string]any{"id": int64(0), "vlans": []any{"/Common/http-tunnel", "/Common/socks-tunnel"}})
	for _, m := range []string{"afm", "am", "apm", "asm", "avr", "dos", "fps", "gtm", "ilx", "lc", "ltm", "pem", "sslo", "swg", "urldb"} {
		level := "none"
		if m == "ltm" {
			level = "nominal"
		}
		s.base("sys/provision", m, map[string]any{"level": level})
	}
	for _, k := range s.kinds {
		switch {
		case k.Naming == Singleton:
			s.base(k.Path, "", nil)
		case k.parent == nil && k.Group != "" && k.Group != "net/vlan/":
			s.baseOf(k)
		}
	}
	for _, st := range stockProfiles() {
		s.derived(st)
	}
	for _, st := range stockMonitors() {
		s.derived(st)
	}
	s.base("ltm/eviction-policy", "/Common/default-eviction-policy", nil)
	for _, name := range []string{"first-match", "best-match", "all-match"} {
		s.base("ltm/policy-strategy", "/Common/"+name, map[string]any{"strategy": name})
	}
	for _, name := range []string{"http-tunnel", "socks-tunnel"} {
		s.base("net/fdb/tunnel", "/Common/"+name, nil)
	}
	s.base("ltm/data-group/internal", "/Common/private_net", map[string]any{"type": "ip", "records": []any{
		map[string]any{"name": "10.0.0.0/8", "data": ""},
		map[string]any{"name": "172.16.0.0/12", "data": ""},
		map[string]any{"name": "192.168.0.0/16", "data": ""},
	}})
}

// baseOf makes the base object of a profile, persistence or monitor kind,
// whose name is that of the kind's default parent. Profiles name no parent
// with "none", monitors with nothing (captured).
func (s *Store) baseOf(k *Kind) {
	p, ok := k.Prop("defaultsFrom")
	if !ok {
		return
	}
	path, _ := p.Default.(string)
	props := map[string]any{"defaultsFrom": nil}
	if k.Group != "ltm/monitor/" {
		props["defaultsFrom"] = "none"
	}
	s.base(k.Path, path, props)
}

func (s *Store) derived(st stock) {
	props := make(map[string]any)
	path := "/Common/" + st.name
	if parent, ok := s.objects[st.kind][Key{Kind: st.kind, Path: st.parent}]; ok {
		for name, v := range parent.Props {
			props[name] = v
		}
		props["defaultsFrom"] = st.parent
	} else if base, ok := s.objects[st.kind][Key{Kind: st.kind, Path: path}]; ok {
		for name, v := range base.Props {
			props[name] = v
		}
	}
	if st.parent == "none" {
		props["defaultsFrom"] = "none"
	}
	if st.props != "" {
		v, err := DecodeJSON([]byte(st.props))
		if err != nil {
			panic(fmt.Sprintf("mcp: stock object %s: %v", path, err))
		}
		diff, _ := v.(map[string]any)
		for name, v := range diff {
			props[name] = v
		}
	}
	s.base(st.kind, path, props)
}

// base enters one object of the base configuration; a nil property is absent.
func (s *Store) base(kind, path string, props map[string]any) {
	s.baseItem(kind, "", path, props)
}

func (s *Store) baseItem(kind, parent, path string, props map[string]any) {
	k := s.mustKind(kind)
	o := &Object{Kind: k, Parent: parent, Path: path, Stock: true, Generation: 1, Props: make(map[string]any)}
	if k.Base {
		o.Generation = 0
	}
	switch k.Naming {
	case Plain:
		o.Name = path
	case Tree:
		setFolderName(o)
	case InFolder:
		o.Partition, o.SubPath, o.Name = splitPath(path)
	}
	for i := range k.Props {
		if p := &k.Props[i]; p.Default != nil {
			o.Props[p.Name] = p.Default
		}
	}
	for name, v := range props {
		if v == nil {
			delete(o.Props, name)
			continue
		}
		o.Props[name] = v
	}
	if old := s.objects[kind][o.Key()]; old != nil {
		s.unlink(old)
	}
	s.link(o)
	if s.generation < 1 {
		s.generation = 1
	}
}

// stockMonitors are the derived monitors of a fresh 14.1.2.1 device
// (captured).
func stockMonitors() []stock {
	return []stock{
		{"ltm/monitor/http", "http_head_f5", "/Common/http", `{"recv":"Server\\:","send":"HEAD / HTTP/1.0\\r\\n\\r\\n"}`},
		{"ltm/monitor/https", "https_443", "/Common/https", `{"destination":"*:443"}`},
		{"ltm/monitor/https", "https_head_f5", "/Common/https", `{"recv":"Server\\:","send":"HEAD / HTTP/1.0\\r\\n\\r\\n"}`},
	}
}

// AddAdmin makes the first user: an administrator of all partitions.
func (s *Store) AddAdmin(name, password string) error {
	return s.Update(func(tx *Tx) error {
		_, err := tx.Create("auth/user", "", map[string]any{
			"name": name, "password": password, "description": "Admin User",
			"partitionAccess": []any{map[string]any{"name": "all-partitions", "role": "admin"}},
		})
		return err
	})
}
