package histories

import (
	"context"
	"strconv"
	"sync"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"landbridge.dev/sync/allocate"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/ledger"
	"landbridge.dev/sync/state"
	"landbridge.dev/sync/translate"
)

// deviceName is the name of the backend that is a device; the other is the
// replica's own speaker.
const deviceName = "bigip/dc1"

// replica is one controller process: the real ledger, worker and backend, and
// around them what sync/reconcile does with watch and report in its place. Its
// methods belong to the goroutine that plays; the worker's reports come
// through a box.
type replica struct {
	cluster *cluster
	place   int // among the cluster's, which has an address of its own
	name    string
	ledger  *ledger.Ledger
	book    *allocate.Book
	worker  *apply.Worker
	seen    *seen // the device, watched
	speaker *apply.Worker
	voice   *voice // what it drives, watched
	records map[state.Ref]*record
	said    map[saying]apply.Report // the workers' last words, of every Service
	held    map[state.Ref]bool      // wait for a leader to put the finalizer on
	ready   bool                    // all Services have been translated once
	leading bool
	stop    context.CancelFunc
	done    sync.WaitGroup
	box     *box
}

// record is what a replica knows of one Service.
type record struct {
	result  translate.Result
	reports map[string]apply.Report // by backend
}

// saying is who speaks of which Service.
type saying struct {
	backend string
	service state.Ref
}

// start starts a process in a place. It leads nothing yet.
func (p *play) start(c *cluster, place int) *replica {
	p.started++
	r := &replica{
		cluster: c, place: place, name: c.identity.Cluster + "-" + strconv.Itoa(p.started), box: p.box,
		ledger: ledger.New(deviceName, state.Speaker), book: allocate.New(),
		records: map[state.Ref]*record{}, said: map[saying]apply.Report{}, held: map[state.Ref]bool{},
	}
	r.seen, r.voice = p.watch(r), p.listen(r)
	brakes := c.config.Brakes
	r.worker = r.drive(apply.Options{
		Backend: r.seen, NodePartition: "Common", Concurrency: 2, Resync: resync,
		Brake: apply.Brake{Percent: *brakes.MaxDeletePercent, Least: *brakes.MinDelete, Window: time.Duration(*brakes.Window)},
	})
	r.speaker = r.drive(apply.Options{Backend: r.voice, Concurrency: 256, Brake: brakeOfRoutes()})
	ctx, stop := context.WithCancel(p.ctx)
	r.stop = stop
	for _, w := range []*apply.Worker{r.worker, r.speaker} {
		r.done.Go(func() {
			if err := w.Run(ctx); err != nil {
				p.violated("a worker of %s ended: %v", r.name, err)
			}
		})
	}
	r.sync()
	return r
}

// drive is a worker of the replica.
func (r *replica) drive(o apply.Options) *apply.Worker {
	o.Ledger, o.Identity, o.Drain, o.Onlooker, o.Log = r.ledger, r.cluster.identity, translate.DefaultDrain, taker{r}, zap.NewNop()
	o.Report = func(told apply.Report) { r.box.post(func() { r.reported(told) }) }
	return apply.NewWorker(o)
}

// sync fills the caches, if the API server answers.
func (r *replica) sync() {
	if r.ready || r.cluster.away {
		return
	}
	r.ready = true
	for _, ref := range services() {
		r.translate(ref)
	}
}

// end stops a process, as a signal does: calls in flight end.
func (r *replica) end() {
	r.leading = false
	r.stop()
	r.done.Wait()
	r.seen.mayAct(false)
	r.voice.hush()
}

// lead gives a process the lease. Without caches it takes none.
func (r *replica) lead() {
	if r.leading || !r.ready {
		return
	}
	r.leading = true
	held := r.held
	r.held = map[state.Ref]bool{}
	for ref := range held {
		r.translate(ref)
	}
	for _, rec := range r.records {
		clear(rec.reports) // of an earlier lead: what stands now is read first
	}
	r.book.Open()
	r.act()
	for ref := range r.records {
		r.tell(ref)
	}
}

// follow takes the lease away.
func (r *replica) follow() {
	r.leading = false
	r.act()
	r.lookAgain(r.book.Close())
}

// act lets the workers make changes if this is the leader and, on the device,
// the configuration allows any: while it does not, every Service is held as it
// stands, and routers would forget what a speaker does not tell them.
func (r *replica) act() {
	may := r.leading && r.cluster.config.Applies()
	if may {
		r.seen.mayAct(true)
	}
	r.worker.Act(may)
	r.speaker.Act(r.leading)
	if !may {
		synctest.Wait() // until the worker has seen it
		r.seen.mayAct(false)
	}
}
