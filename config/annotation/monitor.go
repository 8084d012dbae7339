package annotation

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Monitor is one of those that monitor joins.
type Monitor struct {
	// Path is set for one that stands on the device; the rest is then empty.
	Path string
	// Type is tcp, udp, http or https.
	Type string
	// Method and URI are those of a request, of http and https alone.
	Method, URI string
	// Status is what the answer's status must be: "200", "2xx", or empty for
	// 2xx or 3xx.
	Status string
}

var (
	httpMethod = regexp.MustCompile(`^[A-Z]{1,20}$`)
	// What the device's own escapes, and the shells between, would read
	// otherwise stays out.
	httpURI    = regexp.MustCompile(`^/[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]{0,255}$`)
	httpStatus = regexp.MustCompile(`^[1-5]([0-9][0-9]|xx)$`)
)

// ParseMonitors reads monitor: what is joined by " + ", in its order. "none" is
// none.
func ParseMonitors(value string) ([]Monitor, error) {
	if value == None {
		return nil, nil
	}
	var monitors []Monitor
	seen := map[Monitor]bool{}
	for part := range strings.SplitSeq(value, " + ") {
		m, err := parseMonitor(strings.Fields(part))
		if err != nil {
			return nil, fmt.Errorf("%q: %w", strings.TrimSpace(part), err)
		}
		if seen[m] {
			return nil, fmt.Errorf("%q is there twice", strings.TrimSpace(part))
		}
		seen[m] = true
		monitors = append(monitors, m)
	}
	return monitors, nil
}

var errMonitor = errors.New("must be tcp, udp, http METHOD /PATH [STATUS], https METHOD /PATH [STATUS], a full path such as /Common/name, or none alone; several are joined by \" + \"")

func parseMonitor(words []string) (Monitor, error) {
	if len(words) == 0 {
		return Monitor{}, errMonitor
	}
	switch words[0] {
	case "tcp", "udp":
		if len(words) > 1 {
			return Monitor{}, fmt.Errorf("%s takes no more words", words[0])
		}
		return Monitor{Type: words[0]}, nil
	case "http", "https":
		return parseHTTP(words)
	}
	if len(words) > 1 || !IsPath(words[0]) {
		return Monitor{}, errMonitor
	}
	return Monitor{Path: words[0]}, nil
}

func parseHTTP(words []string) (Monitor, error) {
	if len(words) < 3 || len(words) > 4 {
		return Monitor{}, fmt.Errorf("must be %s METHOD /PATH, such as %[1]s GET /healthz, and a status such as 200 or 2xx where not each from 200 to 399 will do", words[0])
	}
	m := Monitor{Type: words[0], Method: words[1], URI: words[2]}
	switch {
	case !httpMethod.MatchString(m.Method):
		return Monitor{}, fmt.Errorf("method %q must be capital letters, such as GET", m.Method)
	case !httpURI.MatchString(m.URI):
		return Monitor{}, fmt.Errorf("path %q must begin with / and hold what a URL may, at most 256 characters", m.URI)
	}
	if len(words) == 4 {
		m.Status = words[3]
		if !httpStatus.MatchString(m.Status) {
			return Monitor{}, fmt.Errorf("status %q must be three digits such as 200, or 2xx", m.Status)
		}
	}
	return m, nil
}
