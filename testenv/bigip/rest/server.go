package rest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// maxBody is the largest request body taken, in bytes.
const maxBody = 32 << 20

// Options configures a Server.
type Options struct {
	Store *mcp.Store
	// Stats gives the counters of the data plane; nil: all zero.
	Stats Stats
	// Unit says what the unit is to its peers; nil: a standalone active unit.
	Unit Unit
	// Latency is added to every call below /mgmt, CommitLatency to every
	// change of the configuration; changes wait for each other, as in mcpd.
	Latency, CommitLatency time.Duration
	// MaxTokens is how many tokens a user may hold; 0: 100. The user admin is
	// exempt, as on a device.
	MaxTokens int
	// TransactionTimeout is how long an idle transaction lives; 0: 120 s.
	TransactionTimeout time.Duration
	// Clock gives the time; nil: time.Now.
	Clock func() time.Time
	// Recorder is told of every call after it was answered; nil: nobody.
	Recorder func(Request)
	// Intercept may answer or spoil a call before it is handled; nil: never.
	Intercept func(http.Handler) http.Handler
}

// Request is one call as the device saw it.
type Request struct {
	Time   time.Time
	Method string
	Path   string // with its query, as sent
	Body   string
	User   string // "" where authentication failed
	Status int    // of the answer; 0 where there was none (a call that was cut)
	Took   time.Duration
	// Transaction is the id of the transaction that the call was queued in,
	// or 0.
	Transaction int64
}

// Server answers iControl REST calls. It is an http.Handler, safe for
// concurrent use, and holds nothing that needs closing.
type Server struct {
	o       Options
	store   *mcp.Store
	tokens  *tokens
	trans   *transactions
	commits chan struct{} // one change at a time: no mutex, so that a simulated clock goes on meanwhile
	opID    atomic.Int64
	inner   http.Handler
}

// New returns a server for a configuration.
func New(o Options) *Server {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.MaxTokens == 0 {
		o.MaxTokens = 100
	}
	if o.TransactionTimeout == 0 {
		o.TransactionTimeout = 120 * time.Second
	}
	if o.Stats == nil {
		o.Stats = noStats{}
	}
	if o.Unit == nil {
		o.Unit = standalone{o.Store}
	}
	s := &Server{o: o, store: o.Store, tokens: newTokens(o.Clock), trans: newTransactions(o.Clock, o.TransactionTimeout), commits: make(chan struct{}, 1)}
	s.inner = http.HandlerFunc(s.handle)
	if o.Intercept != nil {
		s.inner = o.Intercept(s.inner)
	}
	return s
}

// ForgetTokens drops all tokens, as a restart of the REST daemon does.
func (s *Server) ForgetTokens() { s.tokens.clear() }

// ForgetTransactions drops all open transactions, as a restart of the REST
// daemon does.
func (s *Server) ForgetTransactions() { s.trans.clear() }

// call is one request on its way through the server.
type call struct {
	*http.Request
	path   string // escaped path as sent, query excluded
	body   []byte
	user   user
	client string // address without port
	trans  int64
}

// ServeHTTP answers one call.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	start := s.o.Clock()
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		writeError(w, &mcp.Error{Status: http.StatusBadRequest, Message: "Found invalid JSON body in the request.", APIError: mcp.FromREST})
		return
	}
	c := &call{Request: r, path: r.URL.EscapedPath(), body: body, client: clientOf(r)}
	rec := &recorder{ResponseWriter: w}
	if s.o.Recorder != nil {
		defer func() {
			s.o.Recorder(Request{
				Time: start, Method: r.Method, Path: r.URL.RequestURI(), Body: string(body), User: c.user.name,
				Status: rec.status, Took: s.o.Clock().Sub(start), Transaction: c.trans,
			})
		}()
	}
	s.inner.ServeHTTP(rec, r.WithContext(withCall(r.Context(), c)))
}

// recorder remembers the status of an answer: 0 until there is one.
type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	return r.ResponseWriter.Write(b)
}

// Unwrap gives http.ResponseController the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

func clientOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return "127.0.0.1"
	}
	return host
}

func (s *Server) handle(w http.ResponseWriter, r *http.Request) {
	c := callOf(r.Context())
	c.Request = r
	if !wait(r.Context(), s.o.Latency) {
		return
	}
	rest, ok := strings.CutPrefix(c.path, "/mgmt/")
	if !ok {
		s.portal(w, c)
		return
	}
	rest = strings.TrimSuffix(rest, "/")
	if rest == "shared/authn/login" {
		s.login(w, c)
		return
	}
	u, err := s.authenticate(c)
	if err != nil {
		s.refuse(w, c, err)
		return
	}
	c.user = u
	if u.token == "" {
		setCookies(w.Header(), u.name)
	}
	answer, err := s.dispatch(c, rest)
	if err != nil {
		s.fail(w, c, err)
		return
	}
	writeJSON(w, http.StatusOK, answer)
}

// dispatch finds the worker of a path.
func (s *Server) dispatch(c *call, rest string) (any, error) {
	switch {
	case strings.HasPrefix(rest, "shared/authz/tokens"):
		return s.tokenCall(c, strings.TrimPrefix(rest, "shared/authz/tokens"))
	case strings.HasPrefix(rest, "shared/"):
		return s.sharedCall(c, rest)
	case rest == "tm/transaction" || strings.HasPrefix(rest, "tm/transaction/"):
		return s.transactionCall(c, strings.TrimPrefix(strings.TrimPrefix(rest, "tm/transaction"), "/"))
	case strings.HasPrefix(rest, "tm/"):
		return s.tm(c, strings.TrimPrefix(rest, "tm/"))
	}
	return nil, s.unregistered(c)
}

// portal is what lies outside /mgmt: the login page of the configuration
// utility.
func (s *Server) portal(w http.ResponseWriter, c *call) {
	if c.path == "/" || c.path == "/tmui/login.jsp" {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		io.WriteString(w, "<html><head><title>BIG-IP&reg;- "+s.store.Hostname()+"</title></head><body>simulated</body></html>\n") //nolint:errcheck // the client may be gone
		return
	}
	http.Error(w, "Not Found", http.StatusNotFound)
}

// fail writes a refusal.
func (s *Server) fail(w http.ResponseWriter, c *call, err error) {
	var fe *frameworkError
	if errors.As(err, &fe) {
		s.refuse(w, c, fe)
		return
	}
	var me *mcp.Error
	if !errors.As(err, &me) {
		me = &mcp.Error{Status: http.StatusInternalServerError, Message: err.Error(), APIError: mcp.FromREST}
	}
	writeError(w, me)
}
