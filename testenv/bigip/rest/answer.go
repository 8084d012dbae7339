package rest

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// frameworkError is a refusal of the REST framework (restjavad) rather than of
// the configuration: its body has another form.
type frameworkError struct {
	status  int
	message string
}

func (e *frameworkError) Error() string { return e.message }

// unregistered is the answer to a path that no worker serves (captured).
func (s *Server) unregistered(c *call) error {
	return &frameworkError{http.StatusNotFound, "Public URI path not registered: " + trimMgmt(c.path)}
}

func trimMgmt(path string) string {
	const mgmt = "/mgmt"
	if len(path) > len(mgmt) && path[:len(mgmt)] == mgmt {
		return path[len(mgmt):]
	}
	return path
}

// refuse writes the error body of the framework.
func (s *Server) refuse(w http.ResponseWriter, c *call, err error) {
	status, message := http.StatusUnauthorized, err.Error()
	if fe, ok := err.(*frameworkError); ok { //nolint:errorlint // made here, never wrapped
		status = fe.status
	}
	var d doc
	d.add("code", status)
	d.add("message", message)
	d.add("referer", c.client)
	d.add("restOperationId", 6000000+s.opID.Add(1))
	d.add("kind", ":resterrorresponse")
	writeJSON(w, status, d)
}

// writeError writes the error body of the configuration worker (captured).
func writeError(w http.ResponseWriter, e *mcp.Error) {
	var d doc
	d.add("code", e.Status)
	d.add("message", e.Message)
	d.add("errorStack", []any{})
	d.add("apiError", e.APIError)
	writeJSON(w, e.Status, d)
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	h := w.Header()
	setHeaders(h, status)
	if v == nil {
		h.Set("Content-Length", "0")
		w.WriteHeader(status)
		return
	}
	data, err := encode(v)
	if err != nil {
		http.Error(w, fmt.Sprintf("encoding an answer: %v", err), http.StatusInternalServerError)
		return
	}
	h.Set("Content-Type", "application/json; charset=UTF-8")
	h.Set("Content-Length", fmt.Sprint(len(data)))
	w.WriteHeader(status)
	w.Write(data) //nolint:errcheck // the client may be gone
}

// setHeaders gives an answer the headers that httpd and Jetty add (captured,
// 17.1.0.1 and 17.1.2.1).
func setHeaders(h http.Header, status int) {
	h.Set("Server", "Jetty(9.2.22.v20170606)")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Strict-Transport-Security", "max-age=16070400; includeSubDomains")
	h["Cache-Control"] = []string{"no-store", "no-cache", "must-revalidate"}
	h.Set("Pragma", "no-cache")
	h.Set("Expires", "-1")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-XSS-Protection", "1; mode=block")
	h.Set("Content-Security-Policy", "default-src 'self'  'unsafe-inline' 'unsafe-eval' data: blob:; img-src 'self' data:  http://127.4.1.1 http://127.4.2.1")
	if status == http.StatusUnauthorized {
		h["WWW-Authenticate"] = []string{"X-Auth-Token", `Basic realm="Enterprise Manager"`}
	} else {
		h["Allow"] = []string{""}
	}
}

// setCookies is what httpd sends to who calls with a name and a password. The
// cookies open nothing here.
func setCookies(h http.Header, name string) {
	const attributes = "; path=/; Secure; HttpOnly; SameSite=Strict"
	h.Add("Set-Cookie", "BIGIPAuthCookie="+rand.Text()+attributes)
	h.Add("Set-Cookie", "BIGIPAuthUsernameCookie="+name+attributes)
}

// wait spends a latency; false when the client went away meanwhile.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// turn waits until a change may be made, and as long as that takes. Whoever had
// its turn gives it back by receiving from commits.
func (s *Server) turn(ctx context.Context) error {
	select {
	case s.commits <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !wait(ctx, s.o.CommitLatency) {
		<-s.commits
		return ctx.Err()
	}
	return nil
}

type callKey struct{}

func withCall(ctx context.Context, c *call) context.Context {
	return context.WithValue(ctx, callKey{}, c)
}

func callOf(ctx context.Context) *call {
	c, _ := ctx.Value(callKey{}).(*call)
	return c
}
