package agent

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/exec"
	"time"
)

// run checks a service until ctx ends, and tells of every change, and of the
// first result. Its first result is that of one check alone.
func (c Check) run(ctx context.Context, tell func(well bool, err error)) {
	if c.TCP == "" && c.HTTP == "" && len(c.Command) == 0 {
		tell(true, nil)
		<-ctx.Done()
		return
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // a check is a new connection
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(time.Duration(c.Interval))
	defer tick.Stop()
	well, known, failures := false, false, 0
	for {
		err := c.once(ctx, client)
		if ctx.Err() != nil {
			return
		}
		failures++
		if err == nil {
			failures = 0
		}
		switch {
		case err == nil && !well:
			well = true
			tell(true, nil)
		case err != nil && (!known || well && failures >= c.Fall):
			well = false
			tell(false, err)
		}
		known = true
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// once checks once.
func (c Check) once(ctx context.Context, client *http.Client) error {
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.Timeout))
	defer cancel()
	switch {
	case c.TCP != "":
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", c.TCP)
		if err != nil {
			return err
		}
		return conn.Close()
	case c.HTTP != "":
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.HTTP, nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
			return err
		}
		if resp.StatusCode < 200 || resp.StatusCode > 299 {
			return fmt.Errorf("%s answers %s", c.HTTP, resp.Status)
		}
		return nil
	}
	cmd := exec.CommandContext(ctx, c.Command[0], c.Command[1:]...)
	cmd.WaitDelay = time.Second // a child of it may hold its output
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %.200s", c.Command[0], err, out)
	}
	return nil
}
