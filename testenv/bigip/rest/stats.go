package rest

import (
	"strconv"
	"strings"

	"landbridge.dev/testenv/bigip/mcp"
)

// Counters are what the data plane counts at one place.
type Counters struct {
	Current, Max, Total int64 // connections
	BytesIn, BytesOut   int64
	PacketsIn           int64
	PacketsOut          int64
	Requests            int64
	Sessions            int64 // persistence records
}

// Stats gives the counters of the data plane. Unknown objects count nothing.
type Stats interface {
	Member(pool, member string) Counters
	Virtual(path string) Counters
}

type noStats struct{}

func (noStats) Member(string, string) Counters { return Counters{} }

func (noStats) Virtual(string) Counters { return Counters{} }

// stats answers GET .../stats of one object or of a collection.
func (s *Server) stats(p place, q query) (any, error) {
	var objects []*mcp.Object
	one := p.path != ""
	if one {
		o, ok := s.store.Get(p.key())
		if !ok {
			return nil, mcp.NotFound(p.kind, p.parent, p.path, true)
		}
		objects = append(objects, o)
	} else {
		objects = s.store.List(p.kind.Path, p.parent)
	}
	uri := p.kind.URI(p.parent, "")
	kind := p.kind.TypeName() + "stats"
	var d doc
	if one {
		uri += "/" + mcp.URLName(p.path)
		d.add("kind", kind)
	} else {
		d.add("kind", p.kind.TypeName()+"collectionstats")
	}
	if one {
		d.add("generation", objects[0].Generation)
	}
	d.add("selfLink", s.link(uri+"/stats", q))
	entries := doc{}
	for _, o := range objects {
		if o.Kind.Path == "cm/traffic-group" {
			s.groupRows(&entries, o)
			continue
		}
		rows, ok := s.rows(o)
		if !ok {
			continue
		}
		self := "https://localhost/mgmt/tm/" + o.URI() + "/stats"
		entries.add(self, doc{{"nestedStats", doc{
			{"kind", kind}, {"selfLink", self + "?ver=" + s.store.Version()}, {"entries", rows},
		}}})
	}
	d.add("entries", entries)
	return d, nil
}

// groupRows are the statistics of a traffic group: a row for each unit.
func (s *Server) groupRows(entries *doc, o *mcp.Object) {
	if o.Str("isFloating") != "true" {
		return
	}
	for _, u := range s.o.Unit.Devices() {
		self := "https://localhost/mgmt/tm/" + o.URI() + ":" + mcp.URLName(u.Path) + "/stats"
		next := "false"
		if u.Failover == "standby" {
			next = "true"
		}
		reason := "-"
		if u.Failover == "active" {
			reason = "Peer was not active"
		}
		entries.add(self, doc{{"nestedStats", doc{{"entries", doc{
			{"activeReason", text(reason)}, {"deviceName", text(u.Path)}, {"failoverState", text(u.Failover)},
			{"nextActive", text(next)}, {"trafficGroup", text(o.Path)},
		}}}}})
	}
}

// rows are the statistics of one object; false for kinds that have none here.
func (s *Server) rows(o *mcp.Object) (doc, bool) {
	switch o.Kind.Path {
	case "ltm/pool/members":
		return s.memberRows(o), true
	case "ltm/pool":
		return s.poolRows(o), true
	case "ltm/node":
		return s.nodeRows(o), true
	case "ltm/virtual":
		return s.virtualRows(o), true
	case "ltm/virtual-address":
		return s.addressRows(o), true
	}
	return nil, false
}

func (s *Server) memberRows(o *mcp.Object) doc {
	c := s.o.Stats.Member(o.Parent, o.Path)
	d := doc{{"addr", text(shownAddress(o))}}
	d = append(d, queueRows("connq.")...)
	d.add("curSessions", value(c.Sessions))
	d.add("monitorRule", text(s.monitorText(o)))
	d.add("monitorStatus", text(s.monitorStatus(o)))
	if s.modern() {
		d = append(d, messageRows()...)
	}
	d.add("nodeName", text(mcp.NodeOf(o)))
	d.add("poolName", text(o.Parent))
	d.add("port", value(int64(mcp.PortOf(o))))
	d = append(d, trafficRows("serverside.", c)...)
	d.add("sessionStatus", text(sessionText(o)))
	d = append(d, s.statusRows(o)...)
	d.add("totRequests", value(c.Requests))
	return d
}

// shownAddress: FQDN members count under "::" (captured).
func shownAddress(o *mcp.Object) string {
	if a := o.Str("address"); a != "any6" {
		return a
	}
	return "::"
}

// monitorText names the rule and where it comes from: "/Common/http (pool
// monitor)" (captured).
func (s *Server) monitorText(o *mcp.Object) string {
	rule := s.store.MonitorsOf(o)
	switch {
	case len(rule.Paths) == 0:
		return "none"
	case o.Str("monitor") == "default" && o.Kind.Path == "ltm/pool/members":
		return rule.String() + " (pool monitor)"
	case o.Str("monitor") == "default":
		return rule.String() + " (default node monitor)"
	}
	return rule.String() + " (node monitor)"
}

// monitorStatus is the state with forced offline laid over it.
func (s *Server) monitorStatus(o *mcp.Object) string {
	if o.Str("state") == "user-down" {
		return "forced-down"
	}
	return s.store.Status(o.Key()).Monitor
}

// sessionText: "enabled" or "user-disabled", never "user-enabled" (captured).
func sessionText(o *mcp.Object) string {
	if o.Str("session") == "user-disabled" {
		return "user-disabled"
	}
	return "enabled"
}

func (s *Server) statusRows(o *mcp.Object) doc {
	a := s.store.AvailabilityOf(o)
	return doc{
		{"status.availabilityState", text(a.State)},
		{"status.enabledState", text(a.Enabled)},
		{"status.statusReason", text(a.Reason)},
	}
}

func queueRows(prefix string) doc {
	var d doc
	for _, n := range []string{"ageEdm", "ageEma", "ageHead", "ageMax", "depth", "serviced"} {
		d.add(prefix+n, value(0))
	}
	return d
}

func messageRows() doc {
	var d doc
	for _, n := range []string{"msgIn", "msgOut", "reqIn", "reqOut", "respIn", "respOut"} {
		d.add("mr."+n, value(0))
	}
	return d
}

func trafficRows(prefix string, c Counters) doc {
	return doc{
		{prefix + "bitsIn", value(c.BytesIn * 8)}, {prefix + "bitsOut", value(c.BytesOut * 8)},
		{prefix + "curConns", value(c.Current)}, {prefix + "maxConns", value(c.Max)},
		{prefix + "pktsIn", value(c.PacketsIn)}, {prefix + "pktsOut", value(c.PacketsOut)},
		{prefix + "totConns", value(c.Total)},
	}
}

// modern reports rows that a device of TMOS 16 (captured) has and 14.1 has
// not.
func (s *Server) modern() bool {
	major, _, _ := strings.Cut(s.store.Version(), ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 16
}

func (s *Server) poolRows(o *mcp.Object) doc {
	var sum Counters
	var active, available int64
	lowest, highest := int64(0), int64(0)
	members := s.store.List("ltm/pool/members", o.Path)
	for i, m := range members {
		sum.add(s.o.Stats.Member(o.Path, m.Path))
		a := s.store.AvailabilityOf(m)
		if a.State == "available" && a.Enabled == "enabled" {
			active++
		}
		if a.State != "offline" {
			available++
		}
		g := m.Int("priorityGroup")
		if i == 0 || g < lowest {
			lowest = g
		}
		highest = max(highest, g)
	}
	d := doc{{"activeMemberCnt", value(active)}, {"availableMemberCnt", value(available)}}
	d = append(d, queueRows("connqAll.")...)
	d = append(d, queueRows("connq.")...)
	d.add("curPriogrp", value(highest))
	d.add("curSessions", value(sum.Sessions))
	d.add("highestPriogrp", value(highest))
	d.add("lowestPriogrp", value(lowest))
	d.add("memberCnt", value(int64(len(members))))
	d.add("minActiveMembers", value(o.Int("minActiveMembers")))
	rule := o.Str("monitor")
	if rule == "" {
		rule = "none"
	}
	d.add("monitorRule", text(rule))
	if s.modern() {
		d = append(d, messageRows()...)
	}
	d.add("tmName", text(o.Path))
	d = append(d, trafficRows("serverside.", sum)...)
	d = append(d, s.statusRows(o)...)
	d.add("totRequests", value(sum.Requests))
	return d
}

func (c *Counters) add(o Counters) {
	c.Current += o.Current
	c.Max += o.Max
	c.Total += o.Total
	c.BytesIn += o.BytesIn
	c.BytesOut += o.BytesOut
	c.PacketsIn += o.PacketsIn
	c.PacketsOut += o.PacketsOut
	c.Requests += o.Requests
	c.Sessions += o.Sessions
}

func (s *Server) nodeRows(o *mcp.Object) doc {
	var sum Counters
	for _, k := range s.store.Referrers(o.Key()) {
		if k.Kind == "ltm/pool/members" {
			sum.add(s.o.Stats.Member(k.Parent, k.Path))
		}
	}
	d := doc{
		{"addr", text(shownAddress(o))}, {"curSessions", value(sum.Sessions)},
		{"monitorRule", text(s.monitorText(o))}, {"monitorStatus", text(s.monitorStatus(o))}, {"tmName", text(o.Path)},
	}
	d = append(d, trafficRows("serverside.", sum)...)
	d.add("sessionStatus", text(sessionText(o)))
	d = append(d, s.statusRows(o)...)
	d.add("totRequests", value(sum.Requests))
	return d
}

func (s *Server) virtualRows(o *mcp.Object) doc {
	c := s.o.Stats.Virtual(o.Path)
	d := trafficWithEvictions("clientside.", c)
	d.add("cmpEnableMode", text("all-cpus"))
	d.add("cmpEnabled", text("enabled"))
	for _, n := range []string{"csMaxConnDur", "csMeanConnDur", "csMinConnDur"} {
		d.add(n, value(0))
	}
	dest := o.Str("destination")
	d.add("destination", text(dest[strings.LastIndex(dest, "/")+1:]))
	d = append(d, trafficWithEvictions("ephemeral.", Counters{})...)
	d.add("fiveMinAvgUsageRatio", value(0))
	d.add("fiveSecAvgUsageRatio", value(0))
	if s.modern() {
		d = append(d, messageRows()...)
	}
	d.add("tmName", text(o.Path))
	d.add("oneMinAvgUsageRatio", value(0))
	d = append(d, s.statusRows(o)...)
	d.add("syncookieStatus", text("not-activated"))
	for _, n := range []string{"accepts", "hwAccepts", "hwSyncookies", "hwsyncookieInstance", "rejects", "swsyncookieInstance", "syncacheCurr", "syncacheOver", "syncookies"} {
		d.add("syncookie."+n, value(0))
	}
	d.add("totRequests", value(c.Requests))
	return d
}

func trafficWithEvictions(prefix string, c Counters) doc {
	d := trafficRows(prefix, c)
	d.add(prefix+"evictedConns", value(0))
	d.add(prefix+"slowKilled", value(0))
	return d
}

func (s *Server) addressRows(o *mcp.Object) doc {
	var sum Counters
	for _, k := range s.store.Referrers(o.Key()) {
		if k.Kind == "ltm/virtual" {
			sum.add(s.o.Stats.Virtual(k.Path))
		}
	}
	d := doc{{"addr", text(o.Str("address"))}}
	d = append(d, trafficRows("clientside.", sum)...)
	d = append(d, s.statusRows(o)...)
	d.add("tmName", text(o.Path))
	d.add("totRequests", value(sum.Requests))
	return d
}
