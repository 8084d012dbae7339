package publish

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what a Server shows. A nil *Metrics shows nothing.
type Metrics struct {
	requests *prometheus.CounterVec
}

// NewMetrics registers the API's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	return &Metrics{requests: promauto.With(reg).NewCounterVec(prometheus.CounterOpts{
		Name: "landbridge_mq_published_total",
		Help: "Messages and questions that pods gave to the gateway, by namespace and outcome: confirmed, answered, or the word of the error.",
	}, []string{"namespace", "outcome"})}
}

func (m *Metrics) request(namespace, outcome string) {
	if m != nil {
		m.requests.WithLabelValues(namespace, outcome).Inc()
	}
}
