package bgp

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what the speaker counts. A nil *Metrics counts nothing.
type Metrics struct {
	up    *prometheus.GaugeVec
	flaps *prometheus.CounterVec
	paths *prometheus.CounterVec
	told  *prometheus.GaugeVec
	ours  prometheus.Gauge
}

// NewMetrics registers the speaker's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		up: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_bgp_session_up", Help: "1 while the session with a peer is established.",
		}, []string{"peer"}),
		flaps: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_bgp_session_flaps_total", Help: "How often the session with a peer went down after it had been up.",
		}, []string{"peer"}),
		paths: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_bgp_path_changes_total",
			Help: "Paths given to the session with a peer, by what it is told: announce, withdraw.",
		}, []string{"peer", "change"}),
		told: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_bgp_peer_routes", Help: "Prefixes that a peer is told of while its session is up.",
		}, []string{"peer"}),
		ours: f.NewGauge(prometheus.GaugeOpts{
			Name: "landbridge_bgp_routes", Help: "Prefixes in the speaker's table.",
		}),
	}
}

// begin shows a peer whose session is to be opened. Counters begin at 0, so
// that the first flap is an increase.
func (m *Metrics) begin(peer string) {
	if m == nil {
		return
	}
	m.session(peer, false)
	m.flaps.WithLabelValues(peer)
	m.paths.WithLabelValues(peer, "announce")
	m.paths.WithLabelValues(peer, "withdraw")
}

func (m *Metrics) session(peer string, up bool) {
	if m == nil {
		return
	}
	v := 0.0
	if up {
		v = 1
	}
	m.up.WithLabelValues(peer).Set(v)
}

func (m *Metrics) flapped(peer string) {
	if m != nil {
		m.flaps.WithLabelValues(peer).Inc()
	}
}

func (m *Metrics) announced(peer string) {
	if m != nil {
		m.paths.WithLabelValues(peer, "announce").Inc()
	}
}

func (m *Metrics) withdrawn(peer string) {
	if m != nil {
		m.paths.WithLabelValues(peer, "withdraw").Inc()
	}
}

func (m *Metrics) routes(n int) {
	if m != nil {
		m.ours.Set(float64(n))
	}
}

func (m *Metrics) tells(peer string, prefixes int) {
	if m != nil {
		m.told.WithLabelValues(peer).Set(float64(prefixes))
	}
}

// forget drops what is shown of a peer that has no session any more.
func (m *Metrics) forget(peer string) {
	if m != nil {
		m.up.DeleteLabelValues(peer)
		m.told.DeleteLabelValues(peer)
	}
}
