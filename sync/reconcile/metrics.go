package reconcile

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what a Reconciler shows. A nil *Metrics shows nothing.
type Metrics struct {
	leader prometheus.Gauge
	errors *prometheus.CounterVec
}

// NewMetrics registers the reconciler's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		leader: f.NewGauge(prometheus.GaugeOpts{
			Name: "landbridge_leader", Help: "1 while this process is the leader and may make changes outside.",
		}),
		errors: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_kubernetes_errors_total",
			Help: "Writes to Kubernetes that failed and are tried again, by stage: translate, report.",
		}, []string{"stage"}),
	}
}

func (m *Metrics) leading(yes bool) {
	if m == nil {
		return
	}
	v := 0.0
	if yes {
		v = 1
	}
	m.leader.Set(v)
}

func (m *Metrics) failed(stage string) {
	if m != nil {
		m.errors.WithLabelValues(stage).Inc()
	}
}
