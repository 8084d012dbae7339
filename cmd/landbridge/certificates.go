package main

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// certificates show until when those certificates are good that others have
// presented to us, and those that we read from files to present them. What is
// not known is not shown. A nil *certificates shows nothing.
type certificates struct {
	expiry *prometheus.Desc

	mu        sync.Mutex
	presented map[presenter]time.Time
	files     map[presenter]struct{}
}

// presenter is where a certificate is: the URL of a unit of a backend, or a
// file.
type presenter struct{ backend, unit string }

// The backends of certificates that are not of devices.
const ofBroker, ofGateway = "mq", "gateway"

func newCertificates(reg prometheus.Registerer) *certificates {
	c := &certificates{
		expiry: prometheus.NewDesc("landbridge_certificate_expiry_timestamp_seconds",
			"Until when a certificate is good, in Unix time: what a unit of a device or a node of the broker (mq) presented last, by its URL, or ours, by its file.",
			[]string{"backend", "unit"}, nil),
		presented: map[presenter]time.Time{}, files: map[presenter]struct{}{},
	}
	reg.MustRegister(c)
	return c
}

// of is to be told what the units of a backend present.
func (c *certificates) of(backend string) func(unit string, seen *x509.Certificate) {
	if c == nil {
		return nil
	}
	return func(unit string, seen *x509.Certificate) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.presented[presenter{backend, unit}] = seen.NotAfter
	}
}

// file has a certificate of ours shown; without a name none.
func (c *certificates) file(backend, name string) {
	if name == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.files[presenter{backend, name}] = struct{}{}
}

// Describe is of prometheus.Collector.
func (c *certificates) Describe(ch chan<- *prometheus.Desc) { ch <- c.expiry }

// Collect is of prometheus.Collector. Files are read now: each connection does
// the same.
func (c *certificates) Collect(ch chan<- prometheus.Metric) {
	c.mu.Lock()
	defer c.mu.Unlock()
	show := func(p presenter, notAfter time.Time) {
		ch <- prometheus.MustNewConstMetric(c.expiry, prometheus.GaugeValue, float64(notAfter.Unix()), p.backend, p.unit)
	}
	for p, notAfter := range c.presented {
		show(p, notAfter)
	}
	for p := range c.files {
		if notAfter, ok := expiryOf(p.unit); ok {
			show(p, notAfter)
		}
	}
}

// expiryOf is until when the first certificate of a file is good, which is the
// one that is presented.
func expiryOf(file string) (notAfter time.Time, ok bool) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return time.Time{}, false
	}
	for {
		block, rest := pem.Decode(raw)
		switch {
		case block == nil:
			return time.Time{}, false
		case block.Type == "CERTIFICATE":
			c, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return time.Time{}, false
			}
			return c.NotAfter, true
		}
		raw = rest
	}
}
