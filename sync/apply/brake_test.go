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

// crowd is a device that serves many Services, and their Wants.
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
		pass(5 * time.Minute)
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
		pass(10 * time.Second)
		message := b.report(wants[5].Service).Problems[0].Message
		_, hash, _ := strings.Cut(message, "landbridge allow ")
		hash = strings.TrimRight(hash, "`")
		b.workers[dc1].Allow("0123456789ab", time.Now().Add(10*time.Minute))
		synctest.Wait()
		if device.Set().Len() != 120 {
			t.Fatal("another hash released the brake")
		}
		b.workers[dc1].Allow(hash, time.Now())
		pass(2 * time.Minute)
		if device.Set().Len() != 120 {
			t.Fatal("the hash released the brake when its time was over")
		}
		b.workers[dc1].Allow(hash, time.Now().Add(10*time.Minute))
		pass(2 * time.Minute)
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
		pass(time.Minute)
		if n := device.Set().Len(); n != 20*3 {
			t.Errorf("%d objects stand, want those of 20 Services: 15 were deleted, 5 opted out", n)
		}
	})
}

// Removals add up within the window, and fall out of it.
func TestBrakeCountsWhatWentWithinItsWindow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device, wants := crowd(t, 40) // 80 virtual servers and pools: 24 of them may go
		b := start(t, device)
		defer b.end()
		for _, w := range wants {
			b.put(w)
		}
		b.lead()
		began := time.Now()
		optOut := func(after time.Duration, wants []state.Want) {
			time.Sleep(time.Until(began.Add(after)))
			for _, w := range wants {
				b.put(state.Want{Service: w.Service, Drain: time.Second})
			}
			pass(time.Minute)
		}
		stand := func(services int, when string) {
			t.Helper()
			if n := device.Set().Len(); n != services*3 {
				t.Errorf("%s %d objects stand, want the %d of %d Services", when, n, services*3, services)
			}
		}
		optOut(0, wants[:5])
		stand(35, "after the first five")
		optOut(3*time.Minute, wants[5:10])
		stand(30, "after five more")
		optOut(6*time.Minute, wants[10:15])
		stand(30, "after five too many")
		if got := b.reason(wants[10].Service); got != "Braked" {
			t.Errorf("reason %q, want Braked", got)
		}
		optOut(12*time.Minute, nil)
		stand(25, "when the first five count no more")
	})
}
