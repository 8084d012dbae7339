package apply

import (
	"sync"
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
	backoff  *prometheus.GaugeVec
	drains   *prometheus.GaugeVec
	lastRead *prometheus.GaugeVec
	resync   *prometheus.GaugeVec
	drift    *prometheus.CounterVec
	changes  *prometheus.HistogramVec
	oldest   *ages
}

// NewMetrics registers the workers' metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	oldest := newAges(prometheus.NewDesc("landbridge_oldest_change_seconds",
		"How long the oldest change that was asked for in Kubernetes has waited for a backend; 0 while none waits. What was refused does not count.",
		[]string{"backend"}, nil))
	reg.MustRegister(oldest)
	return &Metrics{
		oldest: oldest,
		units: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_units_total",
			Help: "Units of changes sent to a backend, by how they ended (done, refused, unknown, unavailable), and why if they did not go through.",
		}, []string{"backend", "status", "reason"}),
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
		backoff: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_backing_off_services", Help: "Services whose last Unit of changes did not go through, and that are tried again alone, later and later.",
		}, []string{"backend"}),
		drains: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_draining_members", Help: "Our members that take nothing new and keep their connections for now.",
		}, []string{"backend"}),
		changes: f.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "landbridge_change_seconds",
			Help:    "From when a change was asked for in Kubernetes until all of it was made on a backend; what drains after that is not waited for.",
			Buckets: prometheus.ExponentialBuckets(0.001, 2, 16),
		}, []string{"backend"}),
		lastRead: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_last_full_read_timestamp_seconds", Help: "When all of a backend was last read, in Unix time.",
		}, []string{"backend"}),
		resync: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_resync_interval_seconds", Help: "How often all of a backend is read anew, as configured; there where it is at all.",
		}, []string{"backend"}),
		drift: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_drift_repaired_total",
			Help: "Changes made because a resync found something of ours changed outside, not because anything else was asked for.",
		}, []string{"backend"}),
	}
}

// begin shows how often a backend is read anew; nothing of one that is not.
func (m *Metrics) begin(backend string, resync time.Duration) {
	if m != nil && resync > 0 {
		m.resync.WithLabelValues(backend).Set(resync.Seconds())
	}
}

func (m *Metrics) ended(backend string, o Outcome) {
	if m != nil {
		m.units.WithLabelValues(backend, o.Status.String(), o.Reason).Inc()
	}
}

// made takes in how long it took from when a change was asked for until all of
// it was made.
func (m *Metrics) made(backend string, took time.Duration) {
	if m != nil {
		m.changes.WithLabelValues(backend).Observe(took.Seconds())
	}
}

func (m *Metrics) read(backend string, took time.Duration, err error) {
	if m == nil {
		return
	}
	m.reads.WithLabelValues(backend).Observe(took.Seconds())
	if err != nil {
		m.readErrs.WithLabelValues(backend).Inc()
		return
	}
	m.lastRead.WithLabelValues(backend).SetToCurrentTime()
}

// queued shows what a worker has to do: how many Services wait for it, how many
// of them alone, how many members drain, and since when the oldest change waits;
// the zero Time for none.
func (m *Metrics) queued(backend string, waiting, backingOff, draining int, oldest time.Time) {
	if m == nil {
		return
	}
	m.queue.WithLabelValues(backend).Set(float64(waiting))
	m.backoff.WithLabelValues(backend).Set(float64(backingOff))
	m.drains.WithLabelValues(backend).Set(float64(draining))
	m.oldest.set(backend, oldest)
	m.drift.WithLabelValues(backend) // counters begin at 0
	m.readErrs.WithLabelValues(backend)
}

func (m *Metrics) repaired(backend string, changes int) {
	if m != nil {
		m.drift.WithLabelValues(backend).Add(float64(changes))
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

// ages is a collector of how long ago something began, by backend, reckoned
// when it is asked for: an age that nobody updates must grow all the same.
type ages struct {
	desc *prometheus.Desc

	mu    sync.Mutex
	since map[string]time.Time
}

func newAges(desc *prometheus.Desc) *ages { return &ages{desc: desc, since: map[string]time.Time{}} }

func (a *ages) set(backend string, since time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.since[backend] = since
}

// Describe is of prometheus.Collector.
func (a *ages) Describe(ch chan<- *prometheus.Desc) { ch <- a.desc }

// Collect is of prometheus.Collector.
func (a *ages) Collect(ch chan<- prometheus.Metric) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for backend, since := range a.since {
		age := 0.0
		if !since.IsZero() {
			age = time.Since(since).Seconds()
		}
		ch <- prometheus.MustNewConstMetric(a.desc, prometheus.GaugeValue, age, backend)
	}
}
