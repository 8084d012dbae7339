package f5

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

// Error is an answer of the device that is no success: a status of 400 or
// more, or a redirect.
type Error struct {
	// Status is the HTTP status.
	Status int
	// Code is mcpd's own error code, 8 hex digits; empty when the message
	// has none. It says more than the status, which differs by version.
	Code string
	// Message is the device's text, of an HTML page its text alone.
	Message string
	// APIError says which daemon answered: 1 icrd, 2 a transaction, 3 mcpd,
	// 26214401 the tmsh parser, 32768001 mcpd lost.
	APIError int
	// Method and Path are those of the call.
	Method, Path string
}

// Error says what was called and what the device said.
func (e *Error) Error() string {
	text := e.Message
	if text == "" {
		text = http.StatusText(e.Status)
	}
	return fmt.Sprintf("%s %s: the device answered %d: %s", e.Method, e.Path, e.Status, text)
}

// The codes of mcpd that are told apart, as real devices send them.
const (
	codeNotFound       = "01020036" // The requested Pool (/web/p) was not found.
	codeExists         = "01020066" // The requested Node (/t/ip) already exists in partition t.
	codePoolInUse      = "01070265" // The Pool (/Common/p) cannot be deleted because it is in use by a Virtual Server
	codeNodeInUse      = "01070110" // Node address '/Common/x' is referenced by a member of pool '/Common/p'.
	codeMonitorInUse   = "01070083" // Monitor /Common/m is in use.
	codeSharedFrontend = "01070333" // Virtual Server /a/b illegally shares destination address ... with /c/d
	codeSharedAddress  = "01b90011" // Virtual Server /a/b's Traffic Matching Criteria illegally shares destination
	codeAddressExists  = "0107176c" // Invalid Node, the IP address 192.0.2.1 already exists.
	codeForeignKey     = "01070712" // Values specified for ...: foreign key index
	codeConfiguration  = "01070734" // Configuration error: ...
	codeAppService     = "010715bc" // The application service must be updated using an application management interface
	codeAccessPrefix   = "0107082"  // 01070822, 01070824 Access Denied: ...
)

var mcpdCode = regexp.MustCompile(`\b([0-9a-f]{8}):\d+: `)

// newError reads an answer's body, JSON or HTML.
func newError(method, path string, status int, body []byte) *Error {
	e := &Error{Status: status, Method: method, Path: path}
	var answer struct {
		Message  string `json:"message"`
		APIError int    `json:"apiError"`
	}
	if json.Unmarshal(body, &answer) == nil {
		e.Message, e.APIError = answer.Message, answer.APIError
	} else {
		e.Message = htmlText(body)
	}
	if m := mcpdCode.FindStringSubmatch(e.Message); m != nil {
		e.Code = m[1]
	}
	return e
}

var (
	htmlHidden = regexp.MustCompile(`(?is)<(script|style)\b.*?</(script|style)>|<!--.*?-->`)
	htmlTag    = regexp.MustCompile(`<[^>]*>`)
)

// maxHTMLText is how much of an HTML page an error quotes, in bytes.
const maxHTMLText = 200

func htmlText(body []byte) string {
	text := htmlTag.ReplaceAllString(htmlHidden.ReplaceAllString(string(body), " "), " ")
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxHTMLText {
		text = strings.ToValidUTF8(text[:maxHTMLText], "") + "…"
	}
	return text
}

// absent says that the object is known not to be there. A 404 alone does not
// say so: the REST daemon answers it too while it starts.
func (e *Error) absent() bool {
	return e.Status == http.StatusNotFound &&
		(e.Code == codeNotFound || strings.Contains(e.Message, "Object not found"))
}

// starting says that the REST daemon does not know its own paths yet.
func (e *Error) starting() bool {
	return e.Status == http.StatusNotFound && strings.Contains(e.Message, "not registered")
}

// unauthorized says that the device does not know who calls: the token is not
// there any more. A 401 that names the user is something else, the REST daemon's
// word for what the user's role does not reach (terraform-provider-bigip #160).
func (e *Error) unauthorized() bool { return e.Status == http.StatusUnauthorized && !e.denied() }

// denied says that the user's role does not allow the call.
func (e *Error) denied() bool {
	return strings.HasPrefix(e.Code, codeAccessPrefix) || e.Status == http.StatusForbidden ||
		e.Status == http.StatusUnauthorized && strings.Contains(e.Message, "Authorization failed: user=")
}

// exists says that what was to be made stands already.
func (e *Error) exists() bool {
	return e.Status == http.StatusConflict || e.Code == codeExists || e.Code == codeAddressExists
}

func isAbsent(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.absent()
}

// callError is a call that brought no answer.
type callError struct {
	method, path string
	// sent says that the request, or a part of it, may have left.
	sent bool
	err  error
}

func (e *callError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.method, e.path, e.err)
}

func (e *callError) Unwrap() error { return e.err }

// loginError is a login that the device refused.
type loginError struct {
	host, user string
	err        error
}

func (e *loginError) Error() string {
	advice := "see to the user on the device"
	var answer *Error
	switch {
	case errors.As(e.err, &answer) && answer.Status == http.StatusUnauthorized:
		advice = "correct the files username and password of credentialsDir, or the user on the device"
	case strings.Contains(e.err.Error(), "maximum active login tokens"):
		advice = "too many programs are logged in as this user: give this one a user of its own"
	}
	return fmt.Sprintf("login to %s as %q is refused: %s: %v", e.host, e.user, advice, e.err)
}

func (e *loginError) Unwrap() error { return e.err }

// beforeCallError is what went wrong on the way to a token: the call itself
// was not made, whatever became of the login.
type beforeCallError struct{ err error }

func (e *beforeCallError) Error() string { return e.err.Error() }

func (e *beforeCallError) Unwrap() error { return e.err }

var (
	errNoAnswer  = fmt.Errorf("the device did not answer in time: %w", context.DeadlineExceeded)
	errClosed    = errors.New("the session was closed")
	errNotObject = errors.New("the answer is not an object of iControl REST: is this the management address of a BIG-IP?")
)

// certificateError puts the way out before an error of certificate
// verification, and leaves other errors as they are.
func certificateError(host string, err error) error {
	var verification *tls.CertificateVerificationError
	if !errors.As(err, &verification) {
		return err
	}
	var hostname x509.HostnameError
	if errors.As(err, &hostname) {
		return fmt.Errorf("the certificate is not for %s: write a name that it holds in hosts, or give the device a certificate for this one: %w", host, err)
	}
	return fmt.Errorf("the certificate of %s does not verify: set caFile to the CA that signed it: %w", host, err)
}
