package announce

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what announcements show. A nil *Metrics shows nothing.
type Metrics struct {
	published *prometheus.CounterVec
	snapshots prometheus.Counter
}

// NewMetrics registers the metrics of announcements.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		published: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_vm_announcements_total", Help: "Announcements to VMs by outcome, as the broker says.",
		}, []string{"outcome"}),
		snapshots: f.NewCounter(prometheus.CounterOpts{
			Name: "landbridge_vm_snapshots_total", Help: "Requests of VMs for a snapshot that were answered.",
		}),
	}
}

func (m *Metrics) outcome(of string) {
	if m != nil {
		m.published.WithLabelValues(of).Inc()
	}
}

func (m *Metrics) answered() {
	if m != nil {
		m.snapshots.Inc()
	}
}
