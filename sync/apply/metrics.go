package apply

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"
)

// Metrics are what the workers of a process count. A nil *Metrics counts
// nothing.
type Metrics struct {
	units    *prometheus.CounterVec
	reads    *prometheus.HistogramVec
	readErrs *prometheus.CounterVec
	queue    *prometheus.GaugeVec
	reach    *prometheus.GaugeVec
	brake    *prometheus.GaugeVec
}

// NewMetrics registers the workers' metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		units: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_units_total",
			Help: "Units of changes sent to a backend, by how they ended: done, refused, unknown, unavailable.",
		}, []string{"backend", "status"}),
		reads: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "landbridge_full_read_seconds", Help: "How long reading all of a backend took.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2, 12),
		}, []string{"backend"}),
		readErrs: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_full_read_errors_total", Help: "Full reads of a backend that failed.",
		}, []string{"backend"}),
		queue: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_dirty_services", Help: "Services that wait for a backend.",
		}, []string{"backend"}),
		reach: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_backend_up", Help: "1 while a backend takes calls, as far as the last one told; 0 while it is probed.",
		}, []string{"backend"}),
		brake: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_brake_holding", Help: "1 while the brake keeps what would be removed from a backend.",
		}, []string{"backend"}),
	}
}

func (m *Metrics) ended(backend string, o Outcome) {
	if m != nil {
		m.units.WithLabelValues(backend, o.Status.String()).Inc()
	}
}

func (m *Metrics) read(backend string, took time.Duration, err error) {
	if m == nil {
		return
	}
	m.reads.WithLabelValues(backend).Observe(took.Seconds())
	if err != nil {
		m.readErrs.WithLabelValues(backend).Inc()
	}
}

func (m *Metrics) queued(backend string, n int) {
	if m != nil {
		m.queue.WithLabelValues(backend).Set(float64(n))
	}
}

func (m *Metrics) up(backend string, up bool) {
	if m != nil {
		m.reach.WithLabelValues(backend).Set(number(up))
	}
}

func (m *Metrics) braked(backend string, holding bool) {
	if m != nil {
		m.brake.WithLabelValues(backend).Set(number(holding))
	}
}

func number(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
