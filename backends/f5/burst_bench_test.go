package f5_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"landbridge.dev/sync/apply"
	"landbridge.dev/testenv/bigip"
)

// BenchmarkBurstOf1000Pools changes one member in each of 1,000 pools at once,
// on a simulated device that needs 30 ms for a call, over TLS. It reports how
// much longer that takes, from the change of what is wanted to the last call's
// arrival, than the same calls of a bare client at the same concurrency.
func BenchmarkBurstOf1000Pools(b *testing.B) {
	const pools, concurrency = 1000, 4
	d := startDevice(b, bigip.Options{Latency: 30 * time.Millisecond})
	prepare(b, d, pools)
	backend := open(b, optionsFor(d))
	e := run(b, backend)
	before := d.Writes()
	for n := range pools {
		e.ledger.Put(wanted(n), time.Time{})
	}
	waitSettled(b, e, pools)
	if n := d.Writes() - before; n > 0 {
		b.Fatalf("%d changes to what stands already", n)
	}
	client := newBareClient(b, d)
	var ours, bare time.Duration
	heavy, made := false, 0
	for b.Loop() {
		heavy = !heavy
		e.forget()
		before, start := d.Writes(), time.Now()
		for n := range pools {
			want := wanted(n)
			if heavy {
				want = heavier(want)
			}
			e.ledger.Put(want, time.Time{})
		}
		waitSettled(b, e, pools)
		ours += time.Since(start)
		made += d.Writes() - before

		same := slices.DeleteFunc(calls(d, 0), func(c string) bool { return !strings.HasPrefix(c, "PATCH ltm/pool/") })
		same = same[len(same)-pools:]
		start = time.Now()
		client.patch(b, same, concurrency)
		bare += time.Since(start)
	}
	b.ReportMetric(float64(made)/float64(b.N)/pools, "calls/change")
	b.ReportMetric(ours.Seconds()/float64(b.N), "s-landbridge")
	b.ReportMetric(bare.Seconds()/float64(b.N), "s-bare")
	b.ReportMetric(ours.Seconds()/bare.Seconds(), "ratio")
}

// prepare makes what the first Services want, as fast as a device takes it.
func prepare(b *testing.B, d *bigip.Device, services int) {
	o := optionsFor(d)
	o.MaxConcurrentCalls = 100
	backend := open(b, o)
	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)
	for range o.MaxConcurrentCalls {
		wg.Go(func() {
			for n := int(next.Add(1)) - 1; n < services; n = int(next.Add(1)) - 1 {
				if out := backend.Apply(b.Context(), []apply.Unit{newUnit(b, n)})[0]; out.Status != apply.Done {
					b.Error(out.Err)
				}
			}
		})
	}
	wg.Wait()
}

func waitSettled(b *testing.B, e *engine, services int) {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for e.settled() < services {
		select {
		case <-tick.C:
		case <-b.Context().Done():
			b.Fatalf("%d of %d Services are settled", e.settled(), services)
		}
	}
}

// bareClient makes calls and does nothing else.
type bareClient struct {
	*http.Client
	url, token string
}

func newBareClient(b *testing.B, d *bigip.Device) *bareClient {
	o := optionsFor(d)
	roots, err := o.RootCAs()
	if err != nil {
		b.Fatal(err)
	}
	_, answer := d.Do(http.MethodPost, "/mgmt/shared/authn/login", map[string]any{"username": "admin", "password": "admin", "loginProviderName": "tmos"})
	token, _ := answer["token"].(map[string]any)
	return &bareClient{
		Client: &http.Client{Transport: &http.Transport{
			TLSClientConfig: &tls.Config{RootCAs: roots}, MaxIdleConnsPerHost: 4,
		}},
		url: d.URL(), token: fmt.Sprint(token["token"]),
	}
}

// patch makes calls such as "PATCH ltm/pool/..", so many at a time.
func (c *bareClient) patch(b *testing.B, same []string, concurrency int) {
	var (
		wg   sync.WaitGroup
		next atomic.Int64
	)
	for range concurrency {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(same); i = int(next.Add(1)) - 1 {
				method, path, _ := strings.Cut(same[i], " ")
				if err := c.do(b.Context(), method, path); err != nil {
					b.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

func (c *bareClient) do(ctx context.Context, method, path string) error {
	req, err := http.NewRequestWithContext(ctx, method, c.url+"/mgmt/tm/"+path, strings.NewReader(`{"ratio":5}`))
	if err != nil {
		return err
	}
	req.Header.Set("X-F5-Auth-Token", c.token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := c.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	return nil
}
