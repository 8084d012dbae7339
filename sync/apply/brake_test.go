package apply_test

import (
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/backends/memory"
	"landbridge.dev/sync/state"
)

func crowd(t *testing.T, services int) (*memory.Backend, []state.Want) {
	t.Helper()
	device := memory.New(dc1)
	var wants []state.Want
	for i := range services {
		name := "s" + strconv.Itoa(i)
		wants = append(wants, service(name, "203.0.113."+strconv.Itoa(i+1), "10.0.0."+strconv.Itoa(i+1)))
	}
	first := start(t, device)
	for _, w := range wants {
		first.put(w)
	}
	first.lead()
	first.end()
	return device, wants
}

func TestBrakeHoldsWhatNobodyDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device, wants := crowd(t, 40)
		before := device.Set()
		b := start(t, device)
		defer b.end()
		// An API server with an empty store: no Service at all, but one new.
		fresh := service("fresh", "203.0.113.200", "10.0.1.1")
		b.put(fresh)
		b.lead()
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		for o := range before.All() {
			now, there := device.Set().Get(o.ID())
			if !there || !state.Equal(o, now) {
				t.Fatalf("%s was changed or removed, past the brake", o.ID())
			}
		}
		if !b.report(fresh.Service).Settled {
			t.Error("the brake held up what was to be made")
		}
		if got := b.reason(wants[0].Service); got != "Braked" {
			t.Errorf("reason %q, want Braked", got)
		}
	})
}

func TestAllowReleasesTheBrakeForThatPlanAlone(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device, wants := crowd(t, 40)
		b := start(t, device)
		defer b.end()
		b.put(wants[0])
		b.put(wants[1])
		b.lead()
		time.Sleep(10 * time.Second)
		synctest.Wait()
		message := b.report(wants[5].Service).Problems[0].Message
		_, hash, _ := strings.Cut(message, "landbridge allow ")
		hash = strings.TrimRight(hash, "`")
		b.workers[dc1].Allow("0123456789ab", time.Now().Add(10*time.Minute))
		synctest.Wait()
		if device.Set().Len() != 120 {
			t.Fatal("another hash released the brake")
		}
		b.workers[dc1].Allow(hash, time.Now().Add(10*time.Minute))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if n := device.Set().Len(); n != 6 {
			t.Errorf("%d objects stand, want the 6 of the two Services that are left", n)
		}
	})
}

func TestBrakeLetsDeletedServicesAndFewOthersGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device, wants := crowd(t, 40)
		b := start(t, device)
		defer b.end()
		for _, w := range wants {
			b.put(w)
		}
		b.lead()
		for i, w := range wants[:20] {
			b.put(state.Want{Service: w.Service, Deleted: i < 15, Drain: time.Second})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := device.Set().Len(); n != 20*3 {
			t.Errorf("%d objects stand, want those of 20 Services: 15 were deleted, 5 opted out", n)
		}
	})
}
