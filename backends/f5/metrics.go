package f5

import (
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics counts what is called. It is safe for concurrent use, and by
// several Backends.
type Metrics struct {
	calls   *prometheus.CounterVec
	seconds *prometheus.HistogramVec
	logins  *prometheus.CounterVec
	active  *prometheus.GaugeVec
	tokens  *prometheus.GaugeVec
}

// NewMetrics makes the collectors and registers them; with nil they are
// registered nowhere. It panics when they are registered already.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		calls: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_bigip_calls_total",
			Help: "Calls to a BIG-IP, by HTTP method, kind of object, and HTTP status or \"none\" without an answer.",
		}, []string{"backend", "method", "kind", "status"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "landbridge_bigip_call_seconds",
			Help:    "Time from a call to the end of its answer, retries included.",
			Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60},
		}, []string{"backend", "method", "kind"}),
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_bigip_logins_total",
			Help: "Logins to a BIG-IP, by result: ok, refused or failed.",
		}, []string{"backend", "result"}),
		active: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_bigip_active_unit",
			Help: "1 for the unit of a BIG-IP that takes our changes now, 0 for the others; of one without units in a group always 1.",
		}, []string{"backend", "unit"}),
		tokens: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_bigip_token_expiry_timestamp_seconds",
			Help: "Until when our login at a unit of a BIG-IP holds, in Unix time; there while we have one. It is renewed before that.",
		}, []string{"backend", "unit"}),
	}
	if reg != nil {
		reg.MustRegister(m.calls, m.seconds, m.logins, m.active, m.tokens)
	}
	return m
}

func (m *Metrics) call(backend, method, kind string, status int, took time.Duration) {
	text := "none"
	if status > 0 {
		text = strconv.Itoa(status)
	}
	m.calls.WithLabelValues(backend, method, kind, text).Inc()
	m.seconds.WithLabelValues(backend, method, kind).Observe(took.Seconds())
}

// begin shows the logins of a backend: a counter begins at 0, so that the first
// one that is refused is an increase.
func (m *Metrics) begin(backend string) {
	for _, result := range []string{loginOK, loginRefused, loginFailed} {
		m.logins.WithLabelValues(backend, result)
	}
}

// The results of logins.
const loginOK, loginRefused, loginFailed = "ok", "refused", "failed"

func (m *Metrics) login(backend, result string) {
	m.logins.WithLabelValues(backend, result).Inc()
}

// token shows until when a login holds; the zero Time for none.
func (m *Metrics) token(backend, unit string, expires time.Time) {
	if expires.IsZero() {
		m.tokens.DeleteLabelValues(backend, unit)
		return
	}
	m.tokens.WithLabelValues(backend, unit).Set(float64(expires.Unix()))
}

// takes says which of a backend's units takes our changes; empty for none.
func (m *Metrics) takes(backend, unit string, units []*session) {
	for _, u := range units {
		v := 0.0
		if u.host == unit {
			v = 1
		}
		m.active.WithLabelValues(backend, u.host).Set(v)
	}
}

// kindOfPath is the label of what a path speaks of: few values, no names.
func kindOfPath(path string) string {
	parts := strings.Split(strings.TrimPrefix(path, "/mgmt/"), "/")
	switch {
	case len(parts) > 1 && parts[0] == "shared":
		return "token"
	case len(parts) > 4 && parts[2] == "pool" && parts[4] == "members":
		return "member"
	case len(parts) > 2 && (parts[1] == "ltm" || parts[1] == "cm"):
		return parts[2]
	case len(parts) > 1 && parts[1] == transactionsPath:
		return transactionsPath
	}
	return "other"
}
