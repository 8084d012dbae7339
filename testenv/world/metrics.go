package world

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// fetch is one GET over a connection of its own.
func fetch(ctx context.Context, url string) (status int, body string, err error) {
	return fetchFrom(ctx, nil, url)
}

// fetchFrom is fetch from elsewhere; nil is from here.
func fetchFrom(ctx context.Context, from Dial, url string) (status int, body string, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, "", err
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: from}}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	return answer.StatusCode, string(raw), err
}

// Metrics is what the controller serves at /metrics.
func (c *Controller) Metrics(ctx context.Context) (string, error) {
	status, body, err := fetch(ctx, "http://"+c.addr+"/metrics")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("status %d", status)
	}
	if err != nil {
		return "", fmt.Errorf("metrics of controller %s: %w", c.name, err)
	}
	return body, nil
}

// metrics are the controller's series by name and labels, as Prometheus writes
// them; nil where it does not answer.
func (c *Controller) metrics(ctx context.Context) map[string]float64 {
	text, err := c.Metrics(ctx)
	if err != nil {
		return nil
	}
	series := map[string]float64{}
	for lines := bufio.NewScanner(strings.NewReader(text)); lines.Scan(); {
		line := lines.Text()
		if i := strings.LastIndexByte(line, ' '); i > 0 && !strings.HasPrefix(line, "#") {
			if v, err := strconv.ParseFloat(line[i+1:], 64); err == nil {
				series[line[:i]] = v
			}
		}
	}
	return series
}
