package tmm

import (
	"net/netip"
	"strconv"
	"sync"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

const (
	sourcePersistence = "source-addr"
	cookiePersistence = "cookie"
)

// persistence is how a virtual server keeps clients at their member.
type persistence struct {
	kind    string // "", source-addr, cookie
	timeout time.Duration
	bits4   int // of the mask that clients are told apart by
	bits6   int
	cookie  string // name; "" the default
}

func (e *Engine) persistenceOf(o *mcp.Object) persistence {
	for _, path := range mcp.PersistencePaths(o) {
		p, ok := e.store.Find("ltm/persistence/", path)
		if !ok {
			continue
		}
		out := persistence{timeout: 180 * time.Second, bits4: 32, bits6: 128}
		if n, err := strconv.Atoi(p.Str("timeout")); err == nil {
			out.timeout = time.Duration(n) * time.Second
		}
		switch p.Kind.Path {
		case "ltm/persistence/source-addr":
			out.kind = sourcePersistence
			if mask, err := netip.ParseAddr(p.Str("mask")); err == nil {
				out.setMask(mask)
			}
		case "ltm/persistence/cookie":
			out.kind = cookiePersistence
			if name := p.Str("cookieName"); name != "none" {
				out.cookie = name
			}
		default:
			continue
		}
		return out
	}
	return persistence{}
}

func (p *persistence) setMask(mask netip.Addr) {
	bits := 0
	for _, b := range mask.AsSlice() {
		for ; b&0x80 != 0; b <<= 1 {
			bits++
		}
	}
	if mask.Is4() {
		p.bits4 = bits
	} else {
		p.bits6 = bits
	}
}

func (p persistence) key(from netip.Addr) netip.Addr {
	bits := p.bits4
	if from.Is6() {
		bits = p.bits6
	}
	pre, err := from.Prefix(bits)
	if err != nil {
		return from
	}
	return pre.Addr()
}

// records are the persistence records of a virtual server.
type records struct {
	mu  sync.Mutex
	all map[netip.Addr]record
}

type record struct {
	member *member
	until  time.Time
}

// persisted returns the member that a client is to come back to, if it has a
// record and the member may serve it: a disabled member may, one that is down
// or forced offline may not.
func (e *Engine) persisted(v *virtual, conf *virtualSettings, from netip.Addr) *member {
	if conf.persistence.kind != sourcePersistence {
		return nil
	}
	v.persist.mu.Lock()
	defer v.persist.mu.Unlock()
	key := conf.persistence.key(from)
	r, ok := v.persist.all[key]
	if !ok {
		return nil
	}
	if time.Now().After(r.until) || !r.member.usable(true) || conf.pool.member(r.member.path) != r.member {
		v.persist.drop(key)
		return nil
	}
	return r.member
}

// remember makes or prolongs a client's record.
func (e *Engine) remember(v *virtual, conf *virtualSettings, from netip.Addr, m *member) {
	if conf.persistence.kind != sourcePersistence {
		return
	}
	v.persist.mu.Lock()
	defer v.persist.mu.Unlock()
	if v.persist.all == nil {
		v.persist.all = make(map[netip.Addr]record)
	}
	key := conf.persistence.key(from)
	if _, ok := v.persist.all[key]; ok {
		v.persist.drop(key)
	}
	m.counters.sessions.Add(1)
	v.persist.all[key] = record{member: m, until: time.Now().Add(conf.persistence.timeout)}
}

func (r *records) drop(key netip.Addr) {
	r.all[key].member.counters.sessions.Add(-1)
	delete(r.all, key)
}
