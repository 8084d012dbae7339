package rest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// system answers what is neither configuration nor statistics of it: version,
// readiness, failover and sync state.
func (s *Server) system(rest string, q query) (any, bool) {
	var st UnitStatus
	switch rest {
	case "cm/failover-status", "cm/sync-status", "sys/failover":
		st = s.o.Unit.Status() // compares two configurations in a pair: not for each read of anything
	}
	switch rest {
	case "sys/version":
		build, date, edition := s.release()
		return s.stat(rest, "version", q, doc{
			{"Build", text(build)}, {"Date", text(date)}, {"Edition", text(edition)},
			{"Product", text("BIG-IP")}, {"Title", text("Main Package")}, {"Version", text(s.store.Version())},
		}), true
	case "sys/ready":
		return s.stat(rest, "ready", q, doc{{"configReady", text("yes")}, {"licenseReady", text("yes")}, {"provisionReady", text("yes")}}), true
	case "sys/mcp-state":
		return s.stat(rest, "mcp-state", q, doc{
			{"endPlatformIdReceived", text("true")}, {"lastLoad", text("full-config-load-succeed")}, {"phase", text("running")},
		}), true
	case "cm/failover-status":
		return s.stat(rest, "failover-status", q, failoverEntries(st)), true
	case "cm/sync-status":
		return s.stat(rest, "sync-status", q, syncEntries(st)), true
	case "sys/clock":
		return s.stat(rest, "clock", q, doc{{"fullDate", text(s.o.Clock().UTC().Format(time.RFC3339))}}), true
	case "sys/failover":
		var d doc
		d.add("kind", "tm:sys:failover:failoverstats")
		d.add("selfLink", s.link(rest, q))
		d.add("apiRawValues", map[string]any{"apiAnonymous": fmt.Sprintf("Failover %s for %s\n", st.Failover, days(s.o.Clock().Sub(st.Since)))})
		return d, true
	}
	return nil, false
}

// release is what sys/version says beside the version itself.
func (s *Server) release() (build, date, edition string) {
	if strings.HasPrefix(s.store.Version(), "17.") {
		return "0.0.5", "Thu Jun  1 10:00:00 PDT 2023", "Final"
	}
	return "0.0.4", "Tue Sep 17 15:44:32 PDT 2019", "Point Release 1"
}

func days(d time.Duration) string {
	if d > 100*365*24*time.Hour || d < 0 {
		d = 0
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%dd %02d:%02d:%02d", int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60, int(d.Seconds())%60)
}

func text(s string) any { return map[string]any{"description": s} }

func value(n int64) any { return map[string]any{"value": n} }

// stat wraps entries the way all single statistics come: under a link that
// ends in "/0" (captured).
func (s *Server) stat(uri, name string, q query, entries doc) any {
	var d doc
	d.add("kind", "tm:"+strings.ReplaceAll(uri, "/", ":")+":"+name+"stats")
	d.add("selfLink", s.link(uri, q))
	d.add("entries", doc{{"https://localhost/mgmt/tm/" + uri + "/0", nested(entries)}})
	return d
}

func nested(entries doc) any {
	return doc{{"nestedStats", doc{{"entries", entries}}}}
}

// details is the odd sub-list of the two cm statistics: its links are spelled
// failoverStatus and syncStatus (captured).
func details(name string, lines []string) field {
	base := "https://localhost/mgmt/tm/cm/" + name + "/0/details"
	var d doc
	for i, l := range lines {
		d.add(fmt.Sprintf("%s/%d", base, i), nested(doc{{"details", text(l)}}))
	}
	return field{base, nested(d)}
}

func failoverEntries(st UnitStatus) doc {
	color := "green"
	if st.Failover != "active" {
		color = "gray"
	}
	return doc{
		{"color", text(color)},
		details("failoverStatus", []string{st.Failover + " for /Common/traffic-group-1"}),
		{"status", text(strings.ToUpper(strings.ReplaceAll(st.Failover, "-", " ")))},
		{"summary", text("1/1 " + st.Failover)},
	}
}

func syncEntries(st UnitStatus) doc {
	return doc{
		{"color", text(st.SyncColor)},
		details("syncStatus", st.SyncDetails),
		{"mode", text(st.SyncMode)},
		{"status", text(st.SyncStatus)},
		{"summary", text(st.SyncSummary)},
	}
}

// sharedCall serves what is used of /mgmt/shared beside tokens.
func (s *Server) sharedCall(c *call, rest string) (any, error) {
	switch {
	case rest == "shared/bigip-failover-state" && c.Method == http.MethodGet:
		// Polled by the device once an hour: shows the state of the start,
		// whatever happened since. Clients must not use it; this one does
		// show the trap.
		return doc{
			{"isEnabled", true}, {"pollCyclePeriodMillis", 3600000}, {"failoverState", "active"},
			{"generation", 0}, {"lastUpdateMicros", 0},
		}, nil
	case rest == "shared/echo" && c.Method == http.MethodGet:
		return doc{{"stage", "STARTED"}, {"kind", "shared:echo:echoworkerstate"}, {"selfLink", "https://localhost/mgmt/shared/echo"}}, nil
	case rest == "shared/authz/users/"+c.user.name && c.Method == http.MethodGet:
		return doc{
			{"name", c.user.name}, {"displayName", c.user.name}, {"generation", 1},
			{"kind", "shared:authz:users:usersworkerstate"}, {"selfLink", "https://localhost/mgmt/shared/authz/users/" + c.user.name},
		}, nil
	case rest == "shared/identified-devices/config/device-info" && c.Method == http.MethodGet:
		build, _, edition := s.release()
		return doc{
			{"hostname", s.store.Hostname()}, {"product", "BIG-IP"}, {"platform", "Z100"},
			{"version", s.store.Version()}, {"build", build}, {"edition", edition},
			{"kind", "shared:resolver:device-groups:deviceinfostate"},
			{"selfLink", "https://localhost/mgmt/shared/identified-devices/config/device-info"},
		}, nil
	}
	return nil, s.unregistered(c)
}
