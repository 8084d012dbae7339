package publish

import (
	"net/http"
	"net/url"
	"strings"
)

// handler answers a request, or returns why not.
type handler func(http.ResponseWriter, *http.Request, target, Caller) error

// target is what a request's path names.
type target struct{ vhost, exchange, key, queue string }

// route finds out what a request is for. http.ServeMux would not do: to it the
// default vhost, %2F, is the end of a path.
func (s *Server) route(r *http.Request) (handler, target, error) {
	parts, err := segments(r.URL)
	if err != nil || len(parts) < 4 || parts[0] != "v1" || parts[1] != "vhosts" || parts[2] == "" {
		return nil, target{}, errNoSuchPath
	}
	t := target{vhost: parts[2]}
	method := http.MethodPost
	var do handler
	switch rest := parts[4:]; {
	case parts[3] == "batch" && len(rest) == 0:
		do = s.batch
	case parts[3] == "exchanges" && len(rest) == 2:
		t.exchange, t.key, do = rest[0], rest[1], s.publish
	case parts[3] == "rpc" && len(rest) == 2:
		t.exchange, t.key, do = rest[0], rest[1], s.rpc
	case parts[3] == "dead" && len(rest) == 1:
		t.queue, do, method = rest[0], s.listDead, http.MethodGet
	case parts[3] == "dead" && len(rest) == 2 && rest[1] == "replay":
		t.queue, do = rest[0], s.replayDead
	default:
		return nil, t, errNoSuchPath
	}
	if r.Method != method {
		return nil, t, refuse(http.StatusMethodNotAllowed, "invalid", "%s takes %s", r.URL.Path, method)
	}
	return do, t, nil
}

var errNoSuchPath = refuse(http.StatusNotFound, "no-path", "there is no such path: a vhost, an exchange and a key are each one segment, with %%2F for a slash")

// segments are the parts of a path, each unescaped by itself.
func segments(u *url.URL) ([]string, error) {
	parts := strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	for i, p := range parts {
		var err error
		if parts[i], err = url.PathUnescape(p); err != nil {
			return nil, err
		}
	}
	return parts, nil
}
