package main

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/zapr"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.uber.org/zap"

	"landbridge.dev/sync/tracing"
)

// traces are where traces of changes are made and sent: nowhere, unless the
// environment names a collector.
type traces struct {
	// recorder is nil where no traces are made.
	recorder *tracing.Recorder
	provider *sdktrace.TracerProvider
	sender   *sender
}

// Of OpenTelemetry's environment what decides whether there are traces. All
// else (headers, certificates, sampler, sizes) its library reads by itself.
const (
	envDisabled       = "OTEL_SDK_DISABLED"
	envExporter       = "OTEL_TRACES_EXPORTER"
	envEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	envTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	envProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	envTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// tracesWanted says whether the environment asks for traces. An error is what
// it asks for that cannot be had.
func tracesWanted() (bool, error) {
	endpoint := cmp.Or(os.Getenv(envTracesEndpoint), os.Getenv(envEndpoint))
	exporter := os.Getenv(envExporter)
	if endpoint == "" || exporter == "none" || strings.EqualFold(os.Getenv(envDisabled), "true") {
		return false, nil
	}
	if exporter != "" && exporter != "otlp" {
		return false, fmt.Errorf("%s: %q is not known; known are otlp and none", envExporter, exporter)
	}
	if p := cmp.Or(os.Getenv(envTracesProtocol), os.Getenv(envProtocol)); p != "" && p != "http/protobuf" {
		return false, fmt.Errorf("%s: %q is not spoken; http/protobuf is", envProtocol, p)
	}
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return false, fmt.Errorf("%s: must be a URL such as http://collector.example.com:4318", envEndpoint) // it may hold a password
	}
	return true, nil
}

// newTraces sets traces up. Where they cannot be had the log says so, and there
// are none: that is no reason not to serve.
func newTraces(replica string, log *zap.Logger) *traces {
	wanted, err := tracesWanted()
	if err == nil && !wanted {
		return &traces{}
	}
	var t *traces
	if err == nil {
		t, err = openTraces(replica, log)
	}
	if err != nil {
		log.Error("there are no traces", zap.Error(err))
		return &traces{}
	}
	return t
}

func openTraces(replica string, log *zap.Logger) (*traces, error) {
	ctx := context.Background() // nothing is asked of anybody yet
	s := &sender{log: log}
	otel.SetLogger(zapr.NewLogger(log.Named("opentelemetry")))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(s.failed))
	var err error
	if s.SpanExporter, err = otlptracehttp.New(ctx); err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	of, err := resource.New(ctx, resource.WithAttributes(
		attribute.String("service.name", "landbridge"), attribute.String("service.version", version), attribute.String("service.instance.id", replica),
	), resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(s), sdktrace.WithResource(of))
	log.Info("changes are traced")
	return &traces{recorder: tracing.New(provider), provider: provider, sender: s}, nil
}

// flushTimeout bounds how long the end waits for a collector.
const flushTimeout = 3 * time.Second

// close sends what is left. A collector that does not take it is not waited
// for any longer than flushTimeout.
func (t *traces) close() {
	if t.provider == nil {
		return
	}
	t.recorder.Forget()
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.sender.failed(err)
		_ = t.sender.Shutdown(ctx) // cuts what is still being sent; the error is ctx's
	}
}

// failuresEvery is how often it is said at most that traces are not taken.
const failuresEvery = 10 * time.Minute

// sender sends spans, and says now and then that they cannot be sent. It is
// called by the provider's own goroutine, for which nobody waits.
type sender struct {
	sdktrace.SpanExporter
	log *zap.Logger

	mu   sync.Mutex
	said time.Time // when it was last said that they are not taken
	away bool      // that was said, and none were taken since
	lost int       // spans, since it was said that they are taken again
}

// ExportSpans is of sdktrace.SpanExporter.
func (s *sender) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	err := s.SpanExporter.ExportSpans(ctx, spans)
	s.mu.Lock()
	if err != nil {
		s.lost += len(spans)
	} else if s.away {
		s.log.Info("traces are taken again", zap.Int("lost", s.lost))
		s.away, s.lost = false, 0
	}
	s.mu.Unlock()
	if err != nil {
		s.failed(err)
	}
	return nil // it is said
}

// failed says what went wrong, unless that was said a moment ago.
func (s *sender) failed(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.said) < failuresEvery {
		return
	}
	s.said, s.away = time.Now(), true
	s.log.Warn("traces are not taken", zap.Error(err), zap.Int("lost", s.lost))
}
