package dispatch

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

// Metrics are what a Dispatcher shows, all by Service and queue. A nil *Metrics
// shows nothing.
type Metrics struct {
	attempts, settled, copies, replies, back *prometheus.CounterVec
	consumes, endpointsReady, limits, inUse  *prometheus.GaugeVec
	seconds                                  *prometheus.HistogramVec
	age                                      *prometheus.GaugeVec
}

// NewMetrics registers the dispatcher's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return f.NewCounterVec(prometheus.CounterOpts{Name: "landbridge_mq_" + name, Help: help}, append([]string{"service", "queue"}, labels...))
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		return f.NewGaugeVec(prometheus.GaugeOpts{Name: "landbridge_mq_" + name, Help: help}, []string{"service", "queue"})
	}
	return &Metrics{
		attempts:       counter("attempts_total", "Messages given to pods, by the answer's status; 0 without an answer.", "status"),
		settled:        counter("messages_total", "Messages settled, by what was done: ack, retry, dead.", "outcome"),
		copies:         counter("copies_failed_total", "Copies to retry and dead-letter queues that were not confirmed and are published again, by outcome.", "outcome"),
		replies:        counter("replies_total", "Answers to requests with reply-to, by outcome.", "outcome"),
		back:           counter("returned_total", "Messages given back to their queue before a pod had them."),
		consumes:       gauge("consuming", "1 while the queue is consumed by this gateway."),
		endpointsReady: gauge("endpoints", "Ready endpoints that messages are delivered to."),
		limits:         gauge("limit", "Messages that pods may have at a time now; it follows what they take."),
		inUse:          gauge("in_flight", "Messages that pods have."),
		age:            gauge("head_age_seconds", "Age of the message delivered last, where its publisher set a timestamp."),
		seconds: f.NewHistogramVec(prometheus.HistogramOpts{
			Name: "landbridge_mq_handling_seconds", Help: "How long pods take for a message.",
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 9),
		}, []string{"service", "queue"}),
	}
}

// series are the metrics of one Service and queue. A nil *series shows nothing.
type series struct {
	Metrics
	labels prometheus.Labels
}

// of are the metrics of one Service and queue.
func (m *Metrics) of(service state.Ref, queue state.Queue) *series {
	if m == nil {
		return nil
	}
	l := prometheus.Labels{"service": service.String(), "queue": queue.String()}
	s := &series{labels: l, Metrics: Metrics{
		attempts: m.attempts.MustCurryWith(l), settled: m.settled.MustCurryWith(l), copies: m.copies.MustCurryWith(l),
		replies: m.replies.MustCurryWith(l), back: m.back.MustCurryWith(l),
		consumes: m.consumes, endpointsReady: m.endpointsReady, limits: m.limits, inUse: m.inUse, age: m.age,
		seconds: m.seconds.MustCurryWith(l).(*prometheus.HistogramVec),
	}}
	// A counter begins at 0: of one that appears with its first message, no
	// increase is seen.
	for _, w := range []what{ack, retry, dead} {
		s.settled.WithLabelValues(w.String())
	}
	s.back.WithLabelValues()
	return s
}

func (s *series) attempted(d *broker.Delivery, v verdict) {
	if s == nil {
		return
	}
	s.attempts.WithLabelValues(status(v.status)).Inc()
	if !d.Timestamp.IsZero() {
		s.age.With(s.labels).Set(max(0, time.Since(d.Timestamp).Seconds()))
	}
}

func (s *series) outcome(v verdict) {
	if s != nil {
		s.settled.WithLabelValues(v.what.String()).Inc()
	}
}

func (s *series) copyFailed(o broker.Outcome) {
	if s != nil {
		s.copies.WithLabelValues(o.String()).Inc()
	}
}

func (s *series) replied(outcome string) {
	if s != nil {
		s.replies.WithLabelValues(outcome).Inc()
	}
}

func (s *series) requeued() {
	if s != nil {
		s.back.WithLabelValues().Inc()
	}
}

func (s *series) consuming(yes bool) {
	if s == nil {
		return
	}
	v := 0.0
	if yes {
		v = 1
	}
	s.consumes.With(s.labels).Set(v)
}

func (s *series) endpoints(n int) {
	if s != nil {
		s.endpointsReady.With(s.labels).Set(float64(n))
	}
}

func (s *series) limit(limit, inUse int) {
	if s != nil {
		s.limits.With(s.labels).Set(float64(limit))
		s.inUse.With(s.labels).Set(float64(inUse))
	}
}

func (s *series) took(d time.Duration) {
	if s != nil {
		s.seconds.WithLabelValues().Observe(d.Seconds())
	}
}

// forget takes away what a queue that is not served any more would show.
func (s *series) forget() {
	if s == nil {
		return
	}
	for _, g := range []*prometheus.GaugeVec{s.consumes, s.endpointsReady, s.limits, s.inUse, s.age} {
		g.Delete(s.labels)
	}
}

// status is an HTTP status as a label.
func status(code int) string {
	const digits = "0123456789"
	if code < 100 || code > 999 {
		return "0"
	}
	return string([]byte{digits[code/100], digits[code/10%10], digits[code%10]})
}
