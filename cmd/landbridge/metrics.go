package main

import (
	"github.com/prometheus/client_golang/prometheus"

	"landbridge.dev/backends/bgp"
	"landbridge.dev/backends/f5"
	"landbridge.dev/mq/announce"
	"landbridge.dev/mq/broker"
	"landbridge.dev/mq/dispatch"
	"landbridge.dev/mq/publish"
	"landbridge.dev/mq/registry"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/reconcile"
)

// metrics are all that a controller shows of itself; docs/metrics.md has the
// table.
type metrics struct {
	devices    *f5.Metrics
	workers    *apply.Metrics
	reconciler *reconcile.Metrics
	speaker    *bgp.Metrics
	links      *broker.Metrics
	registry   *registry.Metrics
	// announcements are those to VMs.
	announcements *announce.Metrics
	certificates  *certificates
	// stale is 1 while the configuration file differs from what is in force.
	stale prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	return &metrics{
		devices:       f5.NewMetrics(reg),
		workers:       apply.NewMetrics(reg),
		reconciler:    reconcile.NewMetrics(reg),
		speaker:       bgp.NewMetrics(reg),
		links:         broker.NewMetrics(reg),
		registry:      registry.NewMetrics(reg),
		announcements: announce.NewMetrics(reg),
		certificates:  newCertificates(reg),
		stale:         newStale(reg),
	}
}

func newStale(reg prometheus.Registerer) prometheus.Gauge {
	stale := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "landbridge_config_stale",
		Help: "1 while the configuration file differs from what is in force, because it is not valid or takes a restart.",
	})
	reg.MustRegister(stale)
	return stale
}

// gatewayMetrics are all that a gateway shows of itself, but for what is known
// of its queues (manage.Collector).
type gatewayMetrics struct {
	links        *broker.Metrics
	dispatcher   *dispatch.Metrics
	api          *publish.Metrics
	certificates *certificates
	stale        prometheus.Gauge
}

func newGatewayMetrics(reg prometheus.Registerer) *gatewayMetrics {
	return &gatewayMetrics{
		links:        broker.NewMetrics(reg),
		dispatcher:   dispatch.NewMetrics(reg),
		api:          publish.NewMetrics(reg),
		certificates: newCertificates(reg),
		stale:        newStale(reg),
	}
}
