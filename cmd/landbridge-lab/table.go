package main

import (
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"landbridge.dev/testenv/bigip"
	"landbridge.dev/testenv/load"
)

// row is one step of a migration: what was asked, and what came of it.
type row struct {
	name     string
	asked    int     // per cent; -1: nothing is
	ratios   float64 // what the members' ratios make of it
	measured float64 // what of the new clients pods answered
	far      float64 // what of all clients, those that came back among them
	device   float64 // what the device counted, of all clients
	all      load.Count
	seen     load.Count // of all, what was begun after the change
	kept     int        // connections that stayed
	back     time.Duration
	calls    int // that change something

	unit  *bigip.Device // which was active at first
	after *bigip.Device // which was at the end, if it is another
	apart int           // requests that were lost with the unit that failed over
	cut   int           // connections that stayed, lost in the same way
}

// table sums up what was moved.
func (s *story) table() error {
	for _, m := range []*migration{s.cart, s.search, s.till.migration} {
		if len(m.rows) == 0 {
			continue // its chapter was not told
		}
		how := "no persistence"
		if m.persist {
			how = "persistence by source address"
		}
		fmt.Fprintf(s.out, "\n%s, %s: per cent of new clients that pods answer\n\n", m.service(), how)
		t := tabwriter.NewWriter(s.out, 0, 8, 2, ' ', tabwriter.AlignRight)
		fmt.Fprintln(t, "step\tasked\tmeasured\tdevice\trequests\tfailed\tcame back\tconnections kept\tcalls\t")
		var requests, calls int
		var took, back time.Duration
		for _, r := range m.rows {
			asked, measured, device, cameBack := "-", "-", "-", "-"
			if r.asked >= 0 {
				asked, measured, device = fmt.Sprint(r.asked), fmt.Sprintf("%.1f", r.measured), fmt.Sprintf("%.1f", r.device)
			}
			if m.persist {
				cameBack = fmt.Sprintf("%d, %d strayed", sum(r.all.Returned), r.all.Strayed)
			}
			failed, kept := fmt.Sprint(len(r.all.Failed)-r.apart), fmt.Sprintf("%d of %d", r.kept, r.kept+r.cut)
			if r.failover() || r.apart+r.cut > 0 {
				failed += fmt.Sprintf(" (%d apart)", r.apart)
				kept += fmt.Sprintf(" (%d apart)", r.cut)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%d\t\n", r.name, asked, measured, device, r.all.Requests(), failed, cameBack, kept, r.calls)
			if r.asked == 0 {
				back = r.back
			}
			requests, calls, took = requests+r.all.Requests(), calls+r.calls, took+r.all.Ended.Sub(r.all.Began)
		}
		if err := t.Flush(); err != nil {
			return err
		}
		perSecond := float64(requests) / took.Seconds()
		fmt.Fprintf(s.out, "\n%d requests at %.0f a second, %d connections that stayed, %d calls that change something (simulated device).\n",
			requests, perSecond, staying, calls)
		fmt.Fprintf(s.out, "Back to 0: the last connection that a pod took was begun %.1f s after `landbridge share %s 0`.\n", back.Seconds(), m.service())
		if perSecond < least {
			fmt.Fprintf(s.out, "NOTE: that is less than the %d a second that this is about; the machine had other things to do.\n", least)
		}
	}
	fmt.Fprint(s.out, strings.TrimPrefix(footnote, "\n"))
	return nil
}

// footnote says what the columns are.
const footnote = `
Measured is by whom new clients were answered; device is what ` + "`landbridge status`" + ` made of the device's counters, of
all connections. Calls are those that change something, with what a transaction takes besides. Apart: what the unit that
failed over had taken is lost with it, as on a device without connection mirroring; and what a VM had that was killed.
`
