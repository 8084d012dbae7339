// Package alerts holds the tests of the chart's alerts and dashboard: by the
// parser and the engine of Prometheus.
package alerts
