package watch_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/sync/watch"
)

// server refuses connections for a while.
type server struct {
	until time.Time
	asked int
}

func (s *server) RoundTrip(*http.Request) (*http.Response, error) {
	s.asked++
	if time.Now().Before(s.until) {
		return nil, syscall.ECONNREFUSED
	}
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
}

func TestPatientReadsComeThroughWithinASecondOfTheReturn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{until: time.Now().Add(3 * time.Minute)}
		start := time.Now()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api/services", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := watch.Patient(s).RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if took := time.Since(start); took > 3*time.Minute+time.Second || s.asked > 200 {
			t.Errorf("through after %s and %d tries", took, s.asked)
		}
	})
}

func TestPatienceEndsWithTheContextAndIsForReadsAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{until: time.Now().Add(time.Hour)}
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for _, method := range []string{http.MethodGet, http.MethodPatch} {
			req, err := http.NewRequestWithContext(ctx, method, "https://api/services", strings.NewReader(""))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := watch.Patient(s).RoundTrip(req); !errors.Is(err, syscall.ECONNREFUSED) { //nolint:bodyclose // there is no response
				t.Errorf("%s: %v", method, err)
			}
		}
		if s.asked != 12 { // at 0 to 10 s, and once
			t.Errorf("tried %d times, want 12", s.asked)
		}
	})
}
