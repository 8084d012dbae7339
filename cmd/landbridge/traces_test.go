package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"landbridge.dev/sync/state"
	"landbridge.dev/sync/tracing"
	"landbridge.dev/testenv/collector"
)

// changeTraced has one change of shop/web be carried out.
func changeTraced(r *tracing.Recorder) {
	now := time.Now()
	r.Depart(tracing.Departure{Backend: "bigip/dc1", Service: state.Ref{Namespace: "shop", Name: "web"}, Began: now, Ended: now}).
		Land(tracing.Landing{Done: true, Status: "done"})
}

func startCollector(t *testing.T) *collector.Collector {
	t.Helper()
	c, err := collector.Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestTracesAreSentAtTheEnd(t *testing.T) {
	c := startCollector(t)
	t.Setenv(envEndpoint, c.URL())
	t.Setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=prod")
	traces := newTraces("landbridge-1_a", zap.NewNop())
	changeTraced(traces.recorder)
	traces.close()
	trees, err := collector.Trees(c.Spans(), "shop/web")
	if want := []string{
		"change shop/web event=false attempt=1", "  plan backend=bigip/dc1", "  apply backend=bigip/dc1 attempt=1 status=done",
	}; err != nil || !slices.Equal(trees, want) {
		t.Fatalf("%q (%v), want %q", trees, err, want)
	}
	of := c.Spans()[0].Resource
	for key, want := range map[string]string{
		"service.name": "landbridge", "service.version": version, "service.instance.id": "landbridge-1_a", "deployment.environment": "prod",
	} {
		if of[key] != want {
			t.Errorf("%s is %q, want %q", key, of[key], want)
		}
	}
}

func TestTracesByTheEnvironment(t *testing.T) {
	c := startCollector(t)
	for _, test := range []struct {
		name  string
		env   map[string]string
		sent  bool
		wrong string // what the log says
	}{
		{name: "nothing is asked for"},
		{name: "a name is no endpoint", env: map[string]string{"OTEL_SERVICE_NAME": "lb"}},
		{name: "an endpoint", env: map[string]string{envEndpoint: c.URL()}, sent: true},
		{name: "an endpoint of traces", env: map[string]string{envTracesEndpoint: c.URL() + "/v1/traces"}, sent: true},
		{name: "sampled never", env: map[string]string{envEndpoint: c.URL(), "OTEL_TRACES_SAMPLER": "always_off"}},
		{name: "disabled", env: map[string]string{envEndpoint: c.URL(), envDisabled: "TRUE"}},
		{name: "to nobody", env: map[string]string{envEndpoint: c.URL(), envExporter: "none"}},
		{name: "to others", env: map[string]string{envEndpoint: c.URL(), envExporter: "zipkin"}, wrong: `"zipkin" is not known`},
		{name: "by gRPC", env: map[string]string{envEndpoint: c.URL(), envProtocol: "grpc"}, wrong: `"grpc" is not spoken; http/protobuf is`},
		{name: "no URL", env: map[string]string{envEndpoint: "user:hunter2@collector"}, wrong: "must be a URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			for key, value := range test.env {
				t.Setenv(key, value)
			}
			before := c.Requests()
			core, logs := observer.New(zap.WarnLevel)
			traces := newTraces("a", zap.New(core))
			changeTraced(traces.recorder)
			traces.close()
			if sent := c.Requests() > before; sent != test.sent {
				t.Errorf("sent: %t, want %t", sent, test.sent)
			}
			said := fmt.Sprint(logs.All())
			if (test.wrong != "") != (logs.Len() > 0) || !strings.Contains(said, test.wrong) || strings.Contains(said, "hunter2") {
				t.Errorf("the log says %s, want %q", said, test.wrong)
			}
		})
	}
}

// TestCollectorThatHangs is waited for at the end for a moment, and stops
// nothing before.
func TestCollectorThatHangs(t *testing.T) {
	c := startCollector(t)
	c.Hang()
	t.Setenv(envEndpoint, c.URL())
	t.Setenv("OTEL_BSP_SCHEDULE_DELAY", "1") // milliseconds
	core, logs := observer.New(zap.InfoLevel)
	traces := newTraces("a", zap.New(core))
	start := time.Now()
	for range 10_000 { // more than are kept
		changeTraced(traces.recorder)
	}
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("10,000 changes took %s", took)
	}
	start = time.Now()
	traces.close()
	if took := time.Since(start); took > flushTimeout+2*time.Second {
		t.Errorf("the end took %s", took)
	}
	if n := logs.FilterMessage("traces are not taken").Len(); n != 1 {
		t.Errorf("it is said %d times that traces are not taken, want once", n)
	}
}

// TestCollectorThatIsAway is told of once, also when it is back, and not again
// when it goes soon.
func TestCollectorThatIsAway(t *testing.T) {
	c := startCollector(t)
	core, logs := observer.New(zap.InfoLevel)
	t.Setenv(envEndpoint, c.URL())
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "50") // milliseconds
	t.Setenv("OTEL_BSP_EXPORT_TIMEOUT", "50")
	traces := newTraces("a", zap.New(core))
	c.Hang()
	for range 3 {
		changeTraced(traces.recorder)
		_ = traces.provider.ForceFlush(t.Context()) // the sender keeps its errors
	}
	c.Answer()
	changeTraced(traces.recorder)
	_ = traces.provider.ForceFlush(t.Context()) // as above
	c.Hang()
	changeTraced(traces.recorder)
	traces.close()
	var said []string
	for _, l := range logs.All() {
		said = append(said, l.Message)
	}
	if want := []string{"changes are traced", "traces are not taken", "traces are taken again"}; !slices.Equal(said, want) {
		t.Errorf("the log says %q, want %q", said, want)
	}
	if lost := logs.FilterMessage("traces are taken again").All()[0].ContextMap()["lost"]; lost != int64(8) {
		t.Errorf("%v spans were lost, want those of three changes: 8, for the root is of the last", lost)
	}
}
