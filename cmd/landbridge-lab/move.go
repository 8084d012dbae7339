package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"landbridge.dev/testenv/load"
)

const (
	// within is how many points a measured share may be off.
	within = 2.0

	// counters is for how long the device's counters are looked at.
	counters = "3s"

	// soon is how long a way back to 0 may take, on any machine.
	soon = 30 * time.Second
)

// move has the share of the pods moved by a person, under load, and measures.
func (m *migration) move(share int) func(context.Context) error {
	return func(ctx context.Context) error {
		return m.step(ctx, fmt.Sprintf("%d %%", share), share, func(ctx context.Context) error { return m.share(ctx, share) })
	}
}

// share runs landbridge share.
func (m *migration) share(ctx context.Context, share int) error {
	args := []string{"share", m.service(), strconv.Itoa(share), "--yes", "--wait"}
	began := time.Now()
	out, err := m.landbridge(ctx, args...)
	if err != nil {
		return err
	}
	m.said("ran", fmt.Sprintf("landbridge %s: %.1f s", strings.Join(args, " "), time.Since(began).Seconds()))
	if m.rows[len(m.rows)-1].asked > 0 { // the first time all of it is shown
		var brief []string
		for line := range strings.Lines(out) {
			if strings.HasPrefix(line, "Plan:") || strings.HasPrefix(line, m.service()) {
				brief = append(brief, line)
			}
		}
		out = strings.Join(brief, "")
	}
	m.said("share", out)
	m.device(ctx, m.virtual)
	if m.ramp > 0 && share > 0 && m.rows[len(m.rows)-1].asked == 0 {
		m.said("waiting", fmt.Sprintf("%s for the slow ramp of the network team's pool, in which those who come take less", m.ramp))
		return pause(ctx, m.ramp)
	}
	return nil
}

// pause waits for as long as there is nothing to look at.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// step plays one row of the table: it does something while clients call, and
// then measures who answers them.
func (m *migration) step(ctx context.Context, name string, share int, do func(context.Context) error) error {
	r := row{name: name, asked: share, unit: m.world.Active()}
	all, before, calls := m.load.Open(), m.load.Kept(), m.world.AllWrites()
	began := time.Now()
	if err := do(ctx); err != nil {
		all.Close()
		return err
	}
	w := m.load.Open()
	err := m.counted(ctx, &r, w)
	c := w.Close()
	if now := m.world.Active(); now != r.unit {
		r.after = now
	}
	r.kept = m.since(before)
	r.calls = m.world.AllWrites() - calls
	r.all = all.Close()
	if err != nil {
		return fmt.Errorf("%w; clients saw %s", err, c.String())
	}
	r.seen = c
	r.measured, r.far = c.Share(m.isPod)
	if last := r.all.LatestOf(m.isPod); !last.IsZero() {
		r.back = max(0, last.Sub(began))
	}
	m.said("clients", c.String())
	if err := m.judge(&r, len(before)); err != nil {
		return err
	}
	m.rows = append(m.rows, r)
	m.load.Change(changed)
	return m.load.Renew(ctx, renewed)
}

// counted waits until enough clients were answered, and has the device say
// meanwhile what it counted.
func (m *migration) counted(ctx context.Context, r *row, w *load.Window) error {
	out, err := m.landbridge(ctx, "status", m.service(), "--measure", counters, "-o", "json")
	if err != nil {
		return err
	}
	var status struct {
		Services []struct {
			Pools []struct {
				Share struct{ Ratios, Measured *float64 }
			}
		}
	}
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		return fmt.Errorf("landbridge status: %w", err)
	}
	if len(status.Services) != 1 || len(status.Services[0].Pools) != 1 {
		return fmt.Errorf("landbridge status does not show one pool of %s:\n%s", m.service(), out)
	}
	share := status.Services[0].Pools[0].Share
	if share.Ratios == nil || share.Measured == nil {
		return fmt.Errorf("landbridge status measured no share of %s:\n%s", m.service(), out)
	}
	r.ratios, r.device = *share.Ratios, *share.Measured
	return w.Await(ctx, cmp.Or(m.sample, measured))
}

// since is how many of the connections that were kept before are there still.
func (m *migration) since(before []load.Kept) int {
	old := map[load.Kept]int{}
	for _, k := range before {
		old[k]++
	}
	n := 0
	for _, k := range m.load.Kept() {
		if old[k] > 0 {
			old[k]--
			n++
		}
	}
	return n
}

// judge says what is wrong with a step, and what was found right.
func (m *migration) judge(r *row, before int) error {
	if err := m.unbroken(r, before); err != nil {
		return err
	}
	off := within
	if r.asked == 0 || r.asked == 100 {
		off = 0
	}
	if math.Abs(r.measured-float64(r.asked)) > off {
		return fmt.Errorf("%.1f %% of new clients were answered by pods, want %d %%: %s", r.measured, r.asked, r.seen.String())
	}
	if math.Abs(r.device-r.far) > within {
		return fmt.Errorf("the device counted %.1f %% for the pods, and of all clients they answered %.1f %%", r.device, r.far)
	}
	m.checked("asked %d %%, ratios give %.1f %%; pods answered %.1f %% of %d new clients; the device counted %.1f %%",
		r.asked, r.ratios, r.measured, sum(r.seen.New), r.device)
	if err := m.returned(r); err != nil {
		return err
	}
	if r.asked == 0 {
		return m.nothing(r)
	}
	return nil
}

// nothing checks that pods take nothing, and since when.
func (m *migration) nothing(r *row) error {
	for who, n := range r.seen.Returned {
		if m.isPod(who) {
			return fmt.Errorf("at 0 %% %s answered %d connections of clients that came back", who, n)
		}
	}
	if r.back > soon {
		return fmt.Errorf("the last connection that a pod took was begun %.1f s after 0 was asked for", r.back.Seconds())
	}
	if len(m.rows) == 0 {
		m.checked("that there are pods has moved nothing")
		return nil
	}
	m.checked("0 is 0: the last connection that a pod took was begun %.1f s after the command was", r.back.Seconds())
	return nil
}

// unbroken checks that nothing failed and nothing was cut but what a unit had
// taken before it failed over.
func (m *migration) unbroken(r *row, before int) error {
	var failed, broken []load.Failure
	for _, f := range r.all.Failed {
		if r.lost(f) {
			r.apart++
			continue
		}
		failed = append(failed, f)
	}
	for _, f := range r.all.Broken {
		if r.lost(f) {
			r.cut++
			continue
		}
		broken = append(broken, f)
	}
	if len(failed)+len(broken) > 0 {
		return fmt.Errorf("%d of %d requests failed, and %d connections that stayed: %+v %+v", len(failed), r.all.Requests(), len(broken), failed, broken)
	}
	if r.kept+r.cut != before || before != staying || !r.failover() && r.cut > 0 {
		return fmt.Errorf("of %d connections that stayed, %d are there still and %d were cut by a failover, want %d in all", before, r.kept, r.cut, staying)
	}
	m.checked("%d requests at %.0f a second, none failed; %d of %d connections stayed, %d of them to pods",
		r.all.Requests(), r.all.Rate(), r.kept, before, sum(m.connected()))
	if r.failover() {
		m.said("apart", fmt.Sprintf("taken by the unit that failed over, and lost with it: %d requests, %d connections that stayed; their clients came again", r.apart, r.cut))
	}
	return nil
}

// returned checks that clients that came back were answered by whom they know,
// unless he takes nothing.
func (m *migration) returned(r *row) error {
	if !m.persist {
		return nil
	}
	if r.asked == 0 && len(m.rows) > 0 {
		if r.all.Strayed == 0 {
			return errors.New("no client that came back had a pod before, so that nothing is known of those")
		}
		m.checked("%d connections of clients that came back; %d clients that pods knew have a VM now", sum(r.all.Returned), r.all.Strayed)
		return nil
	}
	if r.all.Strayed > 0 {
		return fmt.Errorf("%d of %d connections of clients that came back were answered by another than before", r.all.Strayed, sum(r.all.Returned))
	}
	m.checked("%d connections of clients that came back, each answered by whom its client knows", sum(r.all.Returned))
	return nil
}

func sum(counts map[string]int) int {
	n := 0
	for _, c := range counts {
		n += c
	}
	return n
}
