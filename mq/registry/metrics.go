package registry

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"landbridge.dev/sync/state"
)

// Metrics are what the registry shows. A nil *Metrics shows nothing.
type Metrics struct {
	listening prometheus.Gauge
	vms       *prometheus.GaugeVec
	messages  *prometheus.CounterVec
}

// NewMetrics registers the registry's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	f := promauto.With(reg)
	return &Metrics{
		listening: f.NewGauge(prometheus.GaugeOpts{
			Name: "landbridge_vm_registry_listening", Help: "1 while this process reads registrations of VMs.",
		}),
		vms: f.NewGaugeVec(prometheus.GaugeOpts{
			Name: "landbridge_vms", Help: "Registered VMs by state: ready, unready, silent, draining; as the leader knows.",
		}, []string{"state"}),
		messages: f.NewCounterVec(prometheus.CounterOpts{
			Name: "landbridge_vm_messages_total",
			Help: "Messages of VMs by outcome: accepted, a code of the protocol, or flood for those that were not read.",
		}, []string{"outcome"}),
	}
}

func (m *Metrics) reading(yes bool) {
	if m == nil {
		return
	}
	v := 0.0
	if yes {
		v = 1
	}
	m.listening.Set(v)
}

func (m *Metrics) outcome(of string) {
	if m != nil {
		m.messages.WithLabelValues(of).Inc()
	}
}

func (m *Metrics) count(t *Table) {
	if m == nil {
		return
	}
	n := t.Count()
	for c, name := range map[state.VMCondition]string{
		state.VMReady: "ready", state.VMUnready: "unready", state.VMSilent: "silent", state.VMDraining: "draining",
	} {
		m.vms.WithLabelValues(name).Set(float64(n[c]))
	}
}
