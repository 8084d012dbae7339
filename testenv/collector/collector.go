// Package collector takes traces by OTLP over HTTP, as an OpenTelemetry
// collector does, and shows them.
package collector

import (
	"cmp"
	"compress/gzip"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Collector is a running receiver. Its methods may be called concurrently.
type Collector struct {
	listener net.Listener
	server   *http.Server
	ended    chan struct{}

	mu       sync.Mutex
	spans    []Span
	requests int
	hanging  chan struct{} // closed when it answers again; nil while it does
}

// Span is what was sent of one span.
type Span struct {
	Trace, ID, Parent string // in hex; Parent is empty for a root
	Name              string
	Start, End        time.Time
	Attributes        map[string]string
	Resource          map[string]string
	Links             []string // the IDs of spans
	Failed            bool
}

// Start serves at an address until Close.
func Start(address string) (*Collector, error) {
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("collector: %w", err)
	}
	c := &Collector{listener: l, ended: make(chan struct{})}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/traces", c.take)
	c.server = &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	go func() {
		defer close(c.ended)
		_ = c.server.Serve(l) // it ends with Close
	}()
	return c, nil
}

// URL is the value of OTEL_EXPORTER_OTLP_ENDPOINT.
func (c *Collector) URL() string { return "http://" + c.listener.Addr().String() }

// Close ends it, and cuts what hangs.
func (c *Collector) Close() {
	_ = c.server.Close()
	<-c.ended
}

// Hang has it take requests and answer none, until Answer.
func (c *Collector) Hang() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hanging == nil {
		c.hanging = make(chan struct{})
	}
}

// Answer ends Hang.
func (c *Collector) Answer() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.hanging != nil {
		close(c.hanging)
		c.hanging = nil
	}
}

// Requests is how many have come, answered or not.
func (c *Collector) Requests() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.requests
}

// Spans are all that were taken, in no order.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

func (c *Collector) take(w http.ResponseWriter, req *http.Request) {
	body, err := content(req)
	var asked collectorpb.ExportTraceServiceRequest
	if err == nil {
		err = proto.Unmarshal(body, &asked)
	}
	c.mu.Lock()
	c.requests++
	hanging := c.hanging
	c.mu.Unlock()
	if hanging != nil {
		select {
		case <-hanging:
		case <-req.Context().Done():
			return
		}
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.spans = append(c.spans, spansOf(&asked)...)
	c.mu.Unlock()
	answer, err := proto.Marshal(&collectorpb.ExportTraceServiceResponse{})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	_, _ = w.Write(answer) // who has gone needs no answer
}

func content(req *http.Request) ([]byte, error) {
	if t := req.Header.Get("Content-Type"); t != "application/x-protobuf" {
		return nil, fmt.Errorf("content type %q", t)
	}
	var from io.Reader = req.Body
	if req.Header.Get("Content-Encoding") == "gzip" {
		z, err := gzip.NewReader(req.Body)
		if err != nil {
			return nil, err
		}
		from = z
	}
	return io.ReadAll(from)
}

func spansOf(asked *collectorpb.ExportTraceServiceRequest) []Span {
	var all []Span
	for _, r := range asked.GetResourceSpans() {
		resource := texts(r.GetResource().GetAttributes())
		for _, scope := range r.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				span := Span{
					Trace: hex.EncodeToString(s.GetTraceId()), ID: hex.EncodeToString(s.GetSpanId()), Parent: hex.EncodeToString(s.GetParentSpanId()),
					Name: s.GetName(), Start: at(s.GetStartTimeUnixNano()), End: at(s.GetEndTimeUnixNano()),
					Attributes: texts(s.GetAttributes()), Resource: resource,
					Failed: s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
				}
				for _, l := range s.GetLinks() {
					span.Links = append(span.Links, hex.EncodeToString(l.GetSpanId()))
				}
				all = append(all, span)
			}
		}
	}
	return all
}

func at(nanoseconds uint64) time.Time { return time.Unix(0, int64(nanoseconds)) }

func texts(attributes []*commonpb.KeyValue) map[string]string {
	all := map[string]string{}
	for _, a := range attributes {
		switch v := a.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			all[a.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			all[a.GetKey()] = fmt.Sprint(v.IntValue)
		case *commonpb.AnyValue_BoolValue:
			all[a.GetKey()] = fmt.Sprint(v.BoolValue)
		default:
			all[a.GetKey()] = fmt.Sprint(a.GetValue())
		}
	}
	return all
}

// shown are the attributes that Trees writes, in their order.
func shown() []string {
	return []string{
		"landbridge.backend", "landbridge.attempt", "url.path", "http.response.status_code", "http.request.resend_count",
		"landbridge.status", "landbridge.reason", "landbridge.prefix",
	}
}

// Trees are the traces of a Service, "shop/web", in the order in which they
// began: a line for each span, indented below its parent, with what it says. One
// whose root has not come is an error.
func Trees(spans []Span, service string) ([]string, error) {
	below := map[string][]Span{}
	known := map[string]bool{}
	for _, s := range spans {
		below[s.Parent] = append(below[s.Parent], s)
		known[s.ID] = true
	}
	for _, s := range spans {
		if s.Parent != "" && !known[s.Parent] {
			return nil, errors.New("not all has come yet: " + s.Name + " has no parent")
		}
	}
	for _, of := range below {
		slices.SortStableFunc(of, func(a, b Span) int {
			return cmp.Or(a.Start.Compare(b.Start), b.End.Compare(a.End))
		})
	}
	var lines []string
	var write func(s Span, depth int)
	write = func(s Span, depth int) {
		line := strings.Repeat("  ", depth) + s.Name
		if depth == 0 {
			line += " " + service + " event=" + s.Attributes["landbridge.event"]
		}
		for _, key := range shown() {
			if v := s.Attributes[key]; v != "" {
				line += " " + key[strings.LastIndex(key, ".")+1:] + "=" + v
			}
		}
		if s.Failed {
			line += " failed"
		}
		lines = append(lines, line)
		for _, b := range below[s.ID] {
			write(b, depth+1)
		}
	}
	for _, root := range below[""] {
		if root.Attributes["k8s.namespace.name"]+"/"+root.Attributes["k8s.service.name"] == service {
			write(root, 0)
		}
	}
	return lines, nil
}
