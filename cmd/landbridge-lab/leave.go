package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
)

// leave is the way out: everything of ours goes, and what the network team has
// is as it was. Clients that are connected to pods are answered until they hang
// up.
func (m *migration) leave(ctx context.Context) error {
	w, calls, before := m.load.Open(), m.world.AllWrites(), len(m.load.Kept())
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	var releasing errgroup.Group
	defer func() { cancel(); _ = releasing.Wait() }()
	out := ""
	releasing.Go(func() (err error) {
		out, err = m.landbridge(ctx, "release", m.service(), "--remove", "--yes")
		return err
	})
	if err := m.await(ctx, "the pods to drain", func(ctx context.Context) (bool, error) {
		members, err := m.world.Members(ctx, m.pool)
		return strings.Count(strings.Join(members, "\n"), " draining") == len(m.connected()), err
	}); err != nil {
		return err
	}
	m.device(ctx, m.virtual)
	connected := m.load.HangUp(m.isPod)
	m.checked("%d clients were still connected to pods, which drain; now they hang up", connected)
	if err := releasing.Wait(); err != nil {
		return err
	}
	m.said("ran", fmt.Sprintf("landbridge release %s --remove --yes: %.1f s", m.service(), time.Since(began).Seconds()))
	m.said("release", out)
	c := w.Close()
	kept := len(m.load.Kept())
	m.end()
	if len(c.Failed)+len(c.Broken) > 0 || c.LatestOf(m.isPod).After(c.Began) {
		return fmt.Errorf("while it was released %d of %d requests failed, and %d connections: %+v %+v; %s",
			len(c.Failed), c.Requests(), len(c.Broken), c.Failed, c.Broken, c.String())
	}
	if connected+kept != before {
		return fmt.Errorf("of %d connections %d were hung up and %d are left", before, connected, kept)
	}
	m.checked("%d requests meanwhile, none failed", c.Requests())
	m.rows = append(m.rows, row{name: "release", asked: -1, all: c, kept: before, calls: m.world.AllWrites() - calls})
	return m.asBefore(ctx)
}

// connected are the pods that clients stay connected to.
func (m *migration) connected() map[string]int {
	pods := map[string]int{}
	for _, k := range m.load.Kept() {
		if m.isPod(k.Who) {
			pods[k.Who]++
		}
	}
	return pods
}

// asBefore checks that the device is as it was before the chapter, on both
// units.
func (m *migration) asBefore(ctx context.Context) error {
	now, err := m.theirs()
	if err != nil {
		return err
	}
	if now != m.foreign {
		return fmt.Errorf("what others have on the device was\n%s\nand is\n%s", m.foreign, now)
	}
	for _, o := range m.world.Standing() {
		if !slices.Contains(m.stood, o) && (strings.Contains(o, "10.244.") || strings.Contains(o, "lb_lab_")) {
			return fmt.Errorf("%s is left on the device", o)
		}
	}
	m.checked("the network team's virtual server, pool, members and nodes are as they were, each property; nothing of ours is left")
	if err := m.await(ctx, "the units to be in sync", func(context.Context) (bool, error) { return m.world.Pair.InSync(), nil }); err != nil {
		return err
	}
	annotations, err := m.kubectl(ctx, "get", "service", m.app, "-n", "shop", "-o", "jsonpath={.metadata.annotations}{.metadata.finalizers}{.status.conditions}")
	if err != nil {
		return err
	}
	if strings.Contains(annotations, `"landbridge.dev/`) {
		return errors.New("the Service still has something of Landbridge: " + annotations)
	}
	m.checked("both units are in sync; the Service has nothing of Landbridge any more")
	return nil
}
