package apply_test

import (
	"testing"
	"testing/synctest"
	"time"

	"landbridge.dev/backends/memory"
)

// A process that wins the lease while its first read is under way must not
// take that read for its own: the leader before went on changing meanwhile.
func TestReadFromBeforeTheLeaseIsNotTheLeadersFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		device := memory.New(dc1)
		want := service("cart", "203.0.113.1", "10.0.0.1")
		standby := start(t, lateAnswers{device}) // it has looked, and found nothing
		defer standby.end()
		standby.put(want)
		before := start(t, device)
		before.put(want)
		before.lead()
		before.end()

		standby.lead()
		asked := changes(device)
		time.Sleep(3 * time.Minute) // both reads
		synctest.Wait()
		if n := changes(device) - asked; n != 0 {
			t.Errorf("the new leader asked for %d changes, of what the one before had made", n)
		}
	})
}
