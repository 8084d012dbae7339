package f5

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"landbridge.dev/sync/tracing"
)

const (
	dialTimeout      = 10 * time.Second
	keepIdle         = 90 * time.Second
	retries          = 2
	retryWait        = 100 * time.Millisecond
	retryWaitLongest = time.Second
)

// newTransport pools the connections to one device. Each new one reads the
// roots again, so that a CA file may change while the process runs, and tells
// which certificate was presented and taken. A proxy of the environment is not
// used: a management address is reached directly.
func newTransport(o *Options, presented func(*x509.Certificate)) *http.Transport {
	dialer := &net.Dialer{Timeout: dialTimeout}
	connections := o.MaxConcurrentCalls
	if len(o.Hosts) > 1 {
		connections++ // for the question which unit is active
	}
	return &http.Transport{
		DialContext: dialer.DialContext,
		DialTLSContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := dialer.DialContext(ctx, network, addr)
			if err != nil {
				return nil, err
			}
			secure, err := handshake(ctx, conn, addr, o)
			if err != nil {
				return nil, err
			}
			presented(secure.ConnectionState().PeerCertificates[0]) // a server has at least one
			return secure, nil
		},
		MaxIdleConns:        connections,
		MaxIdleConnsPerHost: connections,
		MaxConnsPerHost:     connections,
		IdleConnTimeout:     keepIdle,
	}
}

func handshake(ctx context.Context, conn net.Conn, addr string, o *Options) (*tls.Conn, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	config := &tls.Config{ServerName: host, InsecureSkipVerify: o.InsecureSkipVerify}
	if !o.InsecureSkipVerify {
		if config.RootCAs, err = roots(o); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	secure := tls.Client(conn, config)
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says more
		return nil, certificateError(host, err)
	}
	return secure, nil
}

// roots are the certificates to verify with; nil for the system's.
func roots(o *Options) (*x509.CertPool, error) {
	if o.RootCAs != nil {
		return o.RootCAs()
	}
	if o.CAFile == "" {
		return nil, nil // nil is how crypto/tls spells the system's roots
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("caFile: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("caFile %s: holds no certificate in PEM", o.CAFile)
	}
	return pool, nil
}

// newRetrying asks again when no answer came, or a 503. It is for calls that
// change nothing: after a lost answer nobody knows whether a write happened,
// and it is not for the session to guess.
func newRetrying(next http.RoundTripper) http.RoundTripper {
	client := retryablehttp.NewClient()
	client.HTTPClient = &http.Client{
		Transport:     next,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	client.Logger = nil
	client.RequestLogHook = func(_ retryablehttp.Logger, req *http.Request, resent int) {
		if resent > 0 {
			tracing.Resent(req.Context(), resent)
		}
	}
	client.RetryMax = retries
	client.RetryWaitMin, client.RetryWaitMax = retryWait, retryWaitLongest
	client.CheckRetry = shouldRetry
	client.Backoff = func(shortest, longest time.Duration, attempt int, _ *http.Response) time.Duration {
		return min(shortest<<attempt, longest) // a Retry-After of minutes is for the worker's backoff
	}
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	return &retryablehttp.RoundTripper{Client: client}
}

func shouldRetry(ctx context.Context, resp *http.Response, err error) (bool, error) {
	if ctx.Err() != nil {
		return false, ctx.Err()
	}
	if err != nil {
		var certificate *tls.CertificateVerificationError
		return !errors.As(err, &certificate), nil
	}
	return resp.StatusCode == http.StatusServiceUnavailable, nil
}
