package translate

import (
	"slices"
	"strconv"
	"strings"

	"landbridge.dev/config"
	"landbridge.dev/config/annotation"
	"landbridge.dev/sync/state"
)

// What a monitor has that nothing is written of: as those that come with a
// device.
const (
	defaultInterval = 5
	longestTimeout  = 86400
	// udpSend is what the device's own UDP monitor sends.
	udpSend = "default send string"
)

// monitor is one of a port's: by path one that stands on the device, otherwise
// one of ours.
type monitor struct {
	path string
	own  state.Monitor // without backend, path and owner
}

// monitorsOf are the monitors of a port. Without a word about it TCP is
// connected to, and a node port that answers for its own pods alone is asked
// by kube-proxy's health check, where the Service has one.
func (t *translation) monitorsOf(s *settings, device config.BIGIP, port int, protocol state.Protocol) []monitor {
	interval, timeout := t.times(s, port)
	own := func(kind, send, receive string, on uint16) monitor {
		for _, key := range []string{"monitor-interval", "monitor-timeout"} {
			s.used[place{key, port}], s.used[place{key, wholeService}] = true, true
		}
		return monitor{own: state.Monitor{Type: kind, Interval: interval, Timeout: timeout, Send: send, Receive: receive, Port: on}}
	}
	v, written := s.valueOf("monitor", port)
	if !written {
		check := t.Service.Spec.HealthCheckNodePort
		switch {
		case lent(s, port): // which keeps its own
		case device.MemberType == "nodeport" && t.local() && check > 0:
			return []monitor{own("http", t.request("GET", "/healthz"), statusLine("200"), uint16(check))}
		case protocol == state.TCP:
			return []monitor{plain(own("tcp", "", "", 0))}
		}
		return nil
	}
	parsed, err := annotation.ParseMonitors(v.text)
	if err != nil {
		return nil // found fault with before
	}
	var monitors []monitor
	for _, m := range parsed {
		switch m.Type {
		case "":
			monitors = append(monitors, monitor{path: m.Path})
		case "tcp":
			monitors = append(monitors, plain(own("tcp", "", "", 0)))
		case "udp":
			monitors = append(monitors, plain(own("udp", udpSend, "", 0)))
		default:
			monitors = append(monitors, own(m.Type, t.request(m.Method, m.URI), statusLine(m.Status), 0))
		}
	}
	return monitors
}

// times are the interval and timeout of a port's own monitors, in seconds. A
// device makes an interval shorter without a word that its timeout does not
// exceed.
func (t *translation) times(s *settings, port int) (interval, timeout int) {
	interval = read(s, "monitor-interval", port, annotation.ParseSeconds, defaultInterval)
	timeout = read(s, "monitor-timeout", port, annotation.ParseSeconds, min(3*interval+1, longestTimeout))
	if timeout <= interval {
		from := Prefix + "monitor-interval"
		if v, ok := s.valueOf("monitor-timeout", port); ok {
			from = v.from
		} else if v, ok := s.valueOf("monitor-interval", port); ok {
			from = v.from
		}
		t.once("BadAnnotation", from+": the timeout of "+strconv.Itoa(timeout)+" s must be more than the interval of "+strconv.Itoa(interval)+
			" s; three times the interval and a second is usual")
	}
	return interval, timeout
}

// plain is a monitor as the device has one of its own, if it is that.
func plain(m monitor) monitor {
	if m.own.Interval == defaultInterval && m.own.Timeout == 3*defaultInterval+1 {
		return monitor{path: "/Common/" + m.own.Type}
	}
	return m
}

// request is what an HTTP monitor sends, in the escapes of a BIG-IP (K2167).
// The host is the Service's name in the cluster: servers refuse a request
// without one, and some HTTP/1.0.
func (t *translation) request(method, uri string) string {
	return method + " " + uri + ` HTTP/1.1\r\nHost: ` + t.ref.Name + "." + t.ref.Namespace + `.svc\r\nConnection: Close\r\n\r\n`
}

// statusLine is what the answer must begin with: an extended regular
// expression (K5917) without a backslash, which would be escaped more than
// once on its way.
func statusLine(status string) string {
	digits := "[23][0-9][0-9]"
	if status != "" {
		digits = strings.ReplaceAll(status, "x", "[0-9]")
	}
	return "^HTTP/1[.][01] " + digits
}

// monitorsFor are the names of a pool's monitors, sorted, and those of them
// that are ours.
func (t *translation) monitorsFor(pool *state.Pool, monitors []monitor) (names []string, own []state.Object) {
	for _, m := range monitors {
		if m.path != "" {
			names = append(names, m.path)
			continue
		}
		made := m.own
		made.Backend, made.Owner = pool.Backend, pool.Owner
		made.Path = pool.Path + "_m" + strconv.Itoa(len(own)+1)
		names = append(names, made.Path)
		own = append(own, &made)
	}
	slices.Sort(names)
	return slices.Compact(names), own
}
