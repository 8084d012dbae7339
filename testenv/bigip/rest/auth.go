package rest

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"landbridge.dev/testenv/bigip/mcp"
)

// Times of tokens, in seconds (F5 K55225440 and the authz worker).
const (
	tokenTimeout    = 1200
	maxTokenTimeout = 36000
)

// user is who a call comes from.
type user struct {
	name  string
	token string // "" with basic authentication
}

// token is one login. The timeout is absolute from its start.
type token struct {
	name    string
	user    string
	client  string
	timeout int64 // seconds
	start   time.Time
	changed time.Time
}

func (t *token) expires() time.Time {
	return t.start.Add(time.Duration(t.timeout) * time.Second)
}

func (t *token) doc() doc {
	var d doc
	d.add("token", t.name)
	d.add("name", t.name)
	d.add("userName", t.user)
	d.add("authProviderName", "local")
	d.add("user", link("https://localhost/mgmt/shared/authz/users/"+t.user))
	d.add("groupReferences", []any{})
	d.add("timeout", t.timeout)
	d.add("startTime", t.start.Format("2006-01-02T15:04:05.000-0700"))
	d.add("address", t.client)
	d.add("partition", "[All]")
	d.add("generation", 1)
	d.add("lastUpdateMicros", t.changed.UnixMicro())
	d.add("expirationMicros", t.expires().UnixMicro())
	d.add("kind", "shared:authz:tokens:authtokenitemstate")
	d.add("selfLink", "https://localhost/mgmt/shared/authz/tokens/"+t.name)
	return d
}

func link(to string) map[string]any { return map[string]any{"link": to} }

// tokens is the table of logins.
type tokens struct {
	clock func() time.Time
	mu    sync.Mutex
	all   map[string]*token
}

func newTokens(clock func() time.Time) *tokens {
	return &tokens{clock: clock, all: make(map[string]*token)}
}

func (t *tokens) clear() {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.all)
}

// find returns a token that has not expired.
func (t *tokens) find(name string) (token, bool) {
	tok, err := t.check(name)
	return tok, err == nil
}

// check is find with the reason: the first call with a token that has expired
// is told so (f5-cli #8), later ones that it does not exist.
func (t *tokens) check(name string) (token, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tok, ok := t.all[name]
	if !ok {
		return token{}, &frameworkError{http.StatusUnauthorized, "X-F5-Auth-Token does not exist."}
	}
	if !t.clock().Before(tok.expires()) {
		delete(t.all, name)
		return token{}, &frameworkError{http.StatusUnauthorized, "X-F5-Auth-Token has expired."}
	}
	return *tok, nil
}

// add logs a user in, or reports that the user holds too many tokens.
func (t *tokens) add(user, client string, most int) (token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	held := 0
	now := t.clock()
	for name, tok := range t.all {
		if !now.Before(tok.expires()) {
			delete(t.all, name)
		} else if tok.user == user {
			held++
		}
	}
	if held >= most {
		return token{}, false
	}
	tok := &token{name: rand.Text(), user: user, client: client, timeout: tokenTimeout, start: now, changed: now}
	t.all[tok.name] = tok
	return *tok, true
}

func (t *tokens) remove(name string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, ok := t.all[name]
	delete(t.all, name)
	return ok
}

func (t *tokens) setTimeout(name string, seconds int64) (token, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	tok, ok := t.all[name]
	if !ok {
		return token{}, false
	}
	tok.timeout, tok.changed = seconds, t.clock()
	return *tok, true
}

func (t *tokens) list() []token {
	t.mu.Lock()
	defer t.mu.Unlock()
	out := make([]token, 0, len(t.all))
	for _, tok := range t.all {
		if t.clock().Before(tok.expires()) {
			out = append(out, *tok)
		}
	}
	return out
}

// login answers POST /mgmt/shared/authn/login.
func (s *Server) login(w http.ResponseWriter, c *call) {
	var in struct {
		Username          string `json:"username"`
		Password          string `json:"password"`
		LoginProviderName string `json:"loginProviderName"`
	}
	if c.Method != http.MethodPost {
		s.refuse(w, c, s.unregistered(c))
		return
	}
	if err := json.Unmarshal(c.body, &in); err != nil {
		s.refuse(w, c, &frameworkError{http.StatusBadRequest, "Unable to parse the login request: invalid JSON"})
		return
	}
	if !s.passwordOK(in.Username, in.Password) {
		s.refuse(w, c, &frameworkError{http.StatusUnauthorized, "Authentication failed."})
		return
	}
	c.user = user{name: in.Username}
	most := s.o.MaxTokens
	if in.Username == "admin" {
		most = 1 << 30
	}
	tok, ok := s.tokens.add(in.Username, c.client, most)
	if !ok {
		s.refuse(w, c, &frameworkError{http.StatusBadRequest, "user " + in.Username + " has reached maximum active login tokens"})
		return
	}
	var d doc
	d.add("username", in.Username)
	d.add("loginReference", link("https://localhost/mgmt/cm/system/authn/providers/local/login"))
	d.add("loginProviderName", "local")
	d.add("token", tok.doc())
	d.add("generation", 0)
	d.add("lastUpdateMicros", 0)
	writeJSON(w, http.StatusOK, d)
}

// passwordOK checks a password against auth/user.
func (s *Server) passwordOK(name, password string) bool {
	o, ok := s.store.Get(mcp.Key{Kind: "auth/user", Path: name})
	return ok && password != "" && o.Str("password") == password
}

var errNoCredentials = errors.New("no user authentication header or token detected")

// authenticate finds out who calls: by token, or by basic authentication.
func (s *Server) authenticate(c *call) (user, error) {
	if name := c.Header.Get("X-F5-Auth-Token"); name != "" {
		tok, err := s.tokens.check(name)
		if err != nil {
			return user{}, err
		}
		return user{name: tok.user, token: name}, nil
	}
	name, password, ok := c.BasicAuth()
	if !ok {
		return user{}, &frameworkError{http.StatusUnauthorized, "Authorization failed: " + errNoCredentials.Error() +
			". Uri:http://localhost:8100" + c.path + " Referrer:" + c.client + " Sender:" + c.client}
	}
	if !s.passwordOK(name, password) {
		return user{}, &frameworkError{http.StatusUnauthorized, "Authentication failed."}
	}
	return user{name: name}, nil
}

// tokenCall serves /mgmt/shared/authz/tokens.
func (s *Server) tokenCall(c *call, rest string) (any, error) {
	name := strings.Trim(rest, "/")
	if name == "" {
		return s.tokenList(c)
	}
	switch c.Method {
	case http.MethodGet:
		tok, ok := s.tokens.find(name)
		if !ok {
			return nil, tokenMissing(name)
		}
		return tok.doc(), nil
	case http.MethodDelete:
		tok, ok := s.tokens.find(name)
		if !ok || !s.tokens.remove(name) {
			return nil, tokenMissing(name)
		}
		return tok.doc(), nil
	case http.MethodPatch:
		return s.patchToken(c, name)
	}
	return nil, s.unregistered(c)
}

func (s *Server) tokenList(c *call) (any, error) {
	switch c.Method {
	case http.MethodGet:
		items := []any{}
		for _, t := range s.tokens.list() {
			items = append(items, t.doc())
		}
		var d doc
		d.add("items", items)
		d.add("generation", len(items))
		d.add("kind", "shared:authz:tokens:authtokencollectionstate")
		d.add("lastUpdateMicros", s.o.Clock().UnixMicro())
		d.add("selfLink", "https://localhost/mgmt/shared/authz/tokens")
		return d, nil
	case http.MethodDelete:
		for _, t := range s.tokens.list() {
			if t.user == c.user.name || c.user.name == "admin" {
				s.tokens.remove(t.name)
			}
		}
		return doc{}, nil
	}
	return nil, s.unregistered(c)
}

func (s *Server) patchToken(c *call, name string) (any, error) {
	body, err := decodeBody(c.body)
	if err != nil {
		return nil, err
	}
	p := mcp.Prop{Name: "timeout", Type: mcp.Integer, Max: 1 << 40}
	v, err := p.Read(body["timeout"])
	if err != nil {
		return nil, err
	}
	seconds, _ := v.(int64)
	if seconds > maxTokenTimeout {
		return nil, &frameworkError{http.StatusNotAcceptable, "Auth-token absolute timeout (36000 seconds) exceeded"}
	}
	tok, ok := s.tokens.setTimeout(name, seconds)
	if !ok {
		return nil, tokenMissing(name)
	}
	return tok.doc(), nil
}

func tokenMissing(name string) error {
	return &frameworkError{http.StatusNotFound, "URI path /shared/authz/tokens/" + name + " not registered.  Please verify URI is supported and wait for /available suffix to be responsive."}
}
