package broker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what links show. A nil *Metrics shows nothing.
type Metrics struct {
	connected *prometheus.GaugeVec
}

// NewMetrics registers the links' metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	return &Metrics{connected: promauto.With(reg).NewGaugeVec(prometheus.GaugeOpts{
		Name: "landbridge_mq_connected", Help: "1 while a connection to the broker is up, by vhost, role and the namespace whose alone it is.",
	}, []string{"vhost", "role", "tenant"})}
}

func (m *Metrics) up(l *Link, yes bool) {
	if m == nil {
		return
	}
	v := 0.0
	if yes {
		v = 1
	}
	m.connected.WithLabelValues(l.vhost, l.role, l.tenant).Set(v)
}
