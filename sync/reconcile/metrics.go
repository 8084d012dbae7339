package reconcile

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
)

// Metrics are what a Reconciler shows. A nil *Metrics shows nothing.
type Metrics struct {
	leader prometheus.Gauge
	errors *prometheus.CounterVec

	mu              sync.Mutex
	leads           bool
	faulty, noticed *reasons
	// since is when a Service with faults ceased to be as asked.
	since map[state.Ref]time.Time
}

// reasons counts Services by something that is to be said of them.
type reasons struct {
	gauge  *prometheus.GaugeVec
	of     map[state.Ref][]fault
	counts map[fault]int
}

func newReasons(gauge *prometheus.GaugeVec) *reasons {
	return &reasons{gauge: gauge, of: map[state.Ref][]fault{}, counts: map[fault]int{}}
}

func (r *reasons) forget() {
	clear(r.of)
	clear(r.counts)
	r.gauge.Reset()
}

// set takes in what is to be said of a Service now.
func (r *reasons) set(ref state.Ref, now []fault) {
	before := r.of[ref]
	if slices.Equal(before, now) {
		return
	}
	delete(r.of, ref)
	if len(now) > 0 {
		r.of[ref] = now
	}
	for _, f := range before {
		r.counts[f]--
	}
	for _, f := range now {
		r.counts[f]++
	}
	for _, f := range slices.Concat(before, now) {
		r.gauge.WithLabelValues(f.backend, f.reason).Set(float64(r.counts[f]))
	}
}

// fault is why a Service is not as asked, and where.
type fault struct{ backend, reason string }

// beforeBackends is the backend of what is wrong before any is asked: an
// annotation, a grant.
const beforeBackends = "none"

// The stages at which something is written to Kubernetes.
const (
	stageTranslate = "translate"
	stageReport    = "report"
	stageGate      = "gate"
	stageRoster    = "roster"
)

// NewMetrics registers the reconciler's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	m := &Metrics{
		since: map[state.Ref]time.Time{},
		leader: f.NewGauge(prometheus.GaugeOpts{
			Name: "landbridge_leader", Help: "1 while this process is the leader and may make changes outside.",
		}),
		errors: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_kubernetes_errors_total",
			Help: "Writes to Kubernetes that failed and are tried again, by stage: translate, report, gate, roster.",
		}, []string{"stage"}),
		faulty: newReasons(f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_services_not_as_asked",
			Help: "Services that are not as asked, by reason and backend (none: wrong before a backend is asked; mq: a queue), as the leader knows. One with two reasons counts for each.",
		}, []string{"backend", "reason"})),
		noticed: newReasons(f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_services_with_notices",
			Help: "Services of which there is something to know although they are as asked, by reason and backend, as the leader knows.",
		}, []string{"backend", "reason"})),
	}
	for _, stage := range []string{stageTranslate, stageReport, stageGate, stageRoster} {
		m.errors.WithLabelValues(stage) // a counter begins at 0
	}
	reg.MustRegister(oldest{m, prometheus.NewDesc("landbridge_services_not_as_asked_since_timestamp_seconds",
		"Since when the one of these Services is not as asked that has not been so for longest, in Unix time; there while there is one.",
		[]string{"backend", "reason"}, nil)})
	return m
}

// oldest is a collector of since when Services are not as asked: by reason, so
// that there are as many series with many Services as with one.
type oldest struct {
	m    *Metrics
	desc *prometheus.Desc
}

// Describe is of prometheus.Collector.
func (o oldest) Describe(ch chan<- *prometheus.Desc) { ch <- o.desc }

// Collect is of prometheus.Collector.
func (o oldest) Collect(ch chan<- prometheus.Metric) {
	first := map[fault]time.Time{}
	o.m.mu.Lock()
	for ref, faults := range o.m.faulty.of {
		for _, f := range faults {
			if at, known := first[f]; !known || o.m.since[ref].Before(at) {
				first[f] = o.m.since[ref]
			}
		}
	}
	o.m.mu.Unlock()
	for f, at := range first {
		ch <- prometheus.MustNewConstMetric(o.desc, prometheus.GaugeValue, float64(at.Unix()), f.backend, f.reason)
	}
}

func (m *Metrics) leading(yes bool) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	v := 0.0
	if yes {
		v = 1
	}
	m.leader.Set(v)
	m.leads = yes
	if !yes { // what stands is known to another from now on
		clear(m.since)
		m.faulty.forget()
		m.noticed.forget()
	}
}

func (m *Metrics) failed(stage string) {
	if m != nil {
		m.errors.WithLabelValues(stage).Inc()
	}
}

// stands takes in why a Service is not as asked, and what else there is to know
// of it; without faults it is, or is gone. since counts when it has had none
// before: another reason for the same is not another time.
func (m *Metrics) stands(ref state.Ref, since time.Time, faults, notices []fault) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.leads {
		if _, known := m.since[ref]; len(faults) == 0 {
			delete(m.since, ref)
		} else if !known {
			m.since[ref] = since
		}
		m.faulty.set(ref, faults)
		m.noticed.set(ref, notices)
	}
}

// ofQueues is the backend of what is wrong with a queue.
const ofQueues = "mq"

// faults are why the Service is not as asked, and what else there is to know
// of it, each once, in the same order each time. queue is how its queue stands;
// nil without one.
func (rec *serviceRecord) faults(newest map[string]ledger.Revision, queue *state.Standing) (faults, notices []fault) {
	note := func(backend string, problems []state.Problem) {
		for _, p := range problems {
			if p.Notice {
				notices = append(notices, fault{backend, p.Reason})
			} else {
				faults = append(faults, fault{backend, p.Reason})
			}
		}
	}
	note(beforeBackends, rec.result.Problems)
	note(beforeBackends, rec.result.Warnings)
	for backend, revision := range newest {
		if told := rec.reports[backend]; told.Revision == revision {
			note(backend, told.Problems)
		}
	}
	if queue != nil && queue.Problem {
		faults = append(faults, fault{ofQueues, queue.Reason})
	}
	return sortedFaults(faults), sortedFaults(notices)
}

func sortedFaults(faults []fault) []fault {
	slices.SortFunc(faults, func(a, b fault) int {
		return cmp.Or(cmp.Compare(a.backend, b.backend), cmp.Compare(a.reason, b.reason))
	})
	return slices.Compact(faults)
}
