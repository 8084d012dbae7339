package manage

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"

	"landbridge.dev/sync/state"
)

// soon is within how many seconds the pods that are needed work a backlog off.
const soon = 60

// Collector shows what a Watcher knows, as metrics. What is not known is not
// shown.
type Collector struct {
	watcher  *Watcher
	handling func(state.Ref) (seconds float64, known bool)

	messages, consumers, published, acked, pods, vms, oldest, dead, needed *prometheus.Desc
}

// NewCollector makes a collector. handling is how long a pod of a Service takes
// for a message, where that is known.
func NewCollector(w *Watcher, handling func(state.Ref) (seconds float64, known bool)) *Collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("landbridge_mq_queue_"+name, help, append([]string{"service", "queue"}, labels...), nil)
	}
	return &Collector{
		watcher: w, handling: handling,
		messages:  desc("messages", "Messages of the queue, by state: ready, unacked.", "state"),
		consumers: desc("consumers", "Consumers of the queue, by side: pods, vms.", "side"),
		published: desc("publish_rate", "Messages that come into the queue, a second."),
		acked:     desc("ack_rate", "Messages that are settled, a second."),
		pods:      desc("pod_rate", "Messages that the channels of pods, or of gateways for them, settle, a second."),
		oldest:    desc("oldest_seconds", "Age of the first message, where the broker tells it: of classic queues, and where the publisher set a timestamp."),
		vms:       desc("vm_rate", "Messages that the channels of VMs settle, a second."),
		dead:      desc("dead_letters", "Dead letters of the queue."),
		needed:    desc("pods_needed", "Pods that take what comes in, and work off what waits within a minute."),
	}
}

// Describe names the metrics.
func (c *Collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.messages, c.consumers, c.published, c.acked, c.pods, c.vms, c.oldest, c.dead, c.needed} {
		ch <- d
	}
}

// Collect shows them.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.watcher.consumers() {
		q, known := c.watcher.Queue(s.Service)
		if !known || !q.Exists {
			continue
		}
		labels := []string{s.Service.String(), s.Queue.String()}
		show := func(d *prometheus.Desc, v float64, more ...string) {
			ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, append(labels[:2:2], more...)...)
		}
		show(c.consumers, float64(q.Pods), "pods")
		show(c.consumers, float64(q.VMs), "vms")
		if !q.Oldest.IsZero() {
			show(c.oldest, max(0, q.At.Sub(q.Oldest).Seconds()))
		}
		if q.Buried {
			show(c.dead, float64(q.Dead))
		}
		if !q.Counted { // as of a queue whose leader is away: it has no rates either
			continue
		}
		show(c.published, q.PublishRate)
		show(c.acked, q.AckRate)
		show(c.pods, q.PodRate)
		show(c.vms, q.VMRate)
		show(c.messages, float64(q.Ready), "ready")
		show(c.messages, float64(q.Unacked), "unacked")
		if s.Native {
			continue
		}
		if seconds, known := c.handling(s.Service); known {
			show(c.needed, PodsNeeded(q, seconds, s.Concurrency))
		} else if q.Ready > 0 && len(s.Endpoints) == 0 {
			show(c.needed, 1) // without a first pod nobody would ever know
		}
	}
}

// PodsNeeded is how many pods take what comes into a queue and work off what
// waits within a minute, where each takes so long for a message and so many at
// a time. Where something waits it is at least 1.
func PodsNeeded(q Queue, seconds float64, concurrency int) float64 {
	rate := q.PublishRate + float64(q.Backlog())/soon
	return math.Ceil(rate * seconds / float64(concurrency))
}

// consumers are those that are watched.
func (w *Watcher) consumers() []*state.QueueConsumer {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []*state.QueueConsumer
	for _, c := range w.wants {
		all = append(all, c)
	}
	return all
}
