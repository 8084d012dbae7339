package watch

import (
	"net/http"
	"time"

	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// retryEvery is how often a read is sent again that found no API server.
const retryEvery = time.Second

// Patient wraps the transport of a watcher's client. A read that finds no API
// server (refused, reset, cut off, timed out) is sent again every second until
// its context ends. Without it an informer waits for up to a minute after the
// API server is back, because client-go's reflector doubles its backoff to 30
// to 60 seconds and lets nobody change that (client-go v0.36.3
// tools/cache/reflector.go:62).
func Patient(next http.RoundTripper) http.RoundTripper { return patient{next} }

type patient struct{ next http.RoundTripper }

func (p patient) RoundTrip(req *http.Request) (*http.Response, error) {
	for {
		resp, err := p.next.RoundTrip(req)
		if err == nil || req.Method != http.MethodGet || !away(err) {
			return resp, err
		}
		wait := time.NewTimer(retryEvery)
		select {
		case <-wait.C:
		case <-req.Context().Done():
			wait.Stop()
			return nil, err
		}
	}
}

// away says whether an error is that of an API server that is not there.
func away(err error) bool {
	return utilnet.IsConnectionRefused(err) || utilnet.IsConnectionReset(err) || utilnet.IsTimeout(err) || utilnet.IsProbableEOF(err)
}
