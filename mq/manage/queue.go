package manage

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"landbridge.dev/mq/broker"
	"landbridge.dev/sync/state"
)

// ConnectionName is how a gateway's connections are called, before their role.
func ConnectionName(cluster, replica string) string {
	return "landbridge " + cluster + " gateway " + replica
}

// Queue is what is known of a queue, by one look.
type Queue struct {
	// At is when it was looked at.
	At time.Time
	// Exists is that the broker has it. With it false, all else is nothing.
	Exists bool
	// Counted is that the broker gave its counts: Ready and Unacked. Where it
	// did not, the rates are nothing either.
	Counted        bool
	Ready, Unacked int
	// Pods and VMs are consumers: the gateways' and, in native mode, those
	// from addresses of the Service's pods; and all others.
	Pods, VMs int
	// PublishRate, AckRate, PodRate and VMRate are messages a second: VMRate
	// what the channels of VMs settle, also of other queues, where one has
	// several; PodRate in native mode the same of pods, else what is left.
	PublishRate, AckRate, PodRate, VMRate float64
	// Oldest is when the first message was published; zero where that is not
	// known: the broker tells it of classic queues alone, and where the
	// publisher has set a timestamp.
	Oldest time.Time
	// Gateways are those of our cluster that are connected to the vhost.
	Gateways int
	// Dead are the dead letters; Buried is that there is a queue of them.
	Dead   int
	Buried bool
}

// Backlog is what is ready or with a consumer.
func (q Queue) Backlog() int { return q.Ready + q.Unacked }

// read makes a Queue of a look at its vhost.
func (a *vhostAnswer) read(c *state.QueueConsumer, names broker.Names, at time.Time) Queue {
	q := Queue{At: at}
	for _, found := range a.queues {
		switch found.Name {
		case c.Queue.Name:
			q.Exists = true
			if q.Counted = found.Ready != nil && found.Unacked != nil; q.Counted {
				q.Ready, q.Unacked = *found.Ready, *found.Unacked
			}
			if found.Head != nil && *found.Head > 0 && q.Ready > 0 {
				q.Oldest = time.Unix(*found.Head, 0)
			}
			q.PublishRate, q.AckRate = found.Stats.is.Publish.is.Average, found.Stats.is.settled()
		case names.Dead(c.Queue.Name):
			if found.Ready != nil && found.Unacked != nil {
				q.Dead, q.Buried = *found.Ready+*found.Unacked, true
			}
		}
	}
	pods := map[string]bool{}
	for _, e := range c.Endpoints {
		pods[e.IP.String()] = true
	}
	rates := map[string]float64{}
	for _, ch := range a.channels {
		rates[ch.Name] = ch.Stats.is.settled()
	}
	counted := map[string]bool{} // channels: one may have several consumers
	for _, consumer := range a.consumers {
		if consumer.Queue.is.Name != c.Queue.Name {
			continue
		}
		side, rate := &q.VMs, &q.VMRate
		if strings.HasPrefix(consumer.Tag, names.Prefix()) || c.Native && pods[consumer.Channel.is.Peer] {
			side, rate = &q.Pods, &q.PodRate
		}
		*side++
		if channel := consumer.Channel.is.Name; !counted[channel] {
			counted[channel] = true
			*rate += rates[channel]
		}
	}
	if !c.Native { // a share is taken by consumers that come and go, with their channels
		q.PodRate = max(0, q.AckRate-q.VMRate)
	}
	for _, connection := range a.connections {
		if strings.HasPrefix(connection.Client.is.Name, ConnectionName(names.Cluster, "")) && strings.HasSuffix(connection.Client.is.Name, " "+broker.RoleControl) {
			q.Gateways++
		}
	}
	return q
}

// Look looks once at the queues of Services. Those of a vhost that cannot be
// looked at are missing, and the error says why.
func Look(ctx context.Context, client *Client, names broker.Names, all []*state.QueueConsumer) (map[state.Ref]Queue, error) {
	seen := map[state.Ref]Queue{}
	vhosts := map[string][]*state.QueueConsumer{}
	for _, c := range all {
		vhosts[c.Queue.Vhost] = append(vhosts[c.Queue.Vhost], c)
	}
	var unread error
	for _, vhost := range slices.Sorted(maps.Keys(vhosts)) {
		a, err := client.vhost(ctx, vhost)
		if err != nil {
			unread = errors.Join(unread, err)
			continue
		}
		for _, c := range vhosts[vhost] {
			seen[c.Service] = a.read(c, names, time.Now())
		}
	}
	return seen, unread
}
