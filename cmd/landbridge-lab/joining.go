package main

import (
	"context"
	"time"
)

// joining is the chapter in which pods join the pool of a service that VMs
// serve, which stays the network team's; on the way the pair fails over.
func (s *story) joining() chapter {
	m := s.cart
	return chapter{"A VM service is joined by pods, and left again", []step{
		{"VMs serve behind the BIG-IP, and clients come all the time", m.callers},
		{"It is imported by somebody who may only read, and has pods that take nothing", m.joined},
		m.shares("the first clients", 5, m.move(5)),
		m.shares("a quarter", 25, m.move(25)),
		m.shares("the pair fails over in the middle of the move", 50, m.moveInFailover(50)),
		m.shares("the VMs take nothing new", 100, m.all),
		m.shares("something is wrong, and all goes back", 0, m.move(0)),
		{"The Service is released", m.leave},
	}}
}

func (s *story) newCart() *migration {
	return &migration{
		story: s, app: "cart", virtual: "/web/cart_vs", pool: "/web/cart", number: 2, vms: []int{1, 2},
		settings: map[string]any{"loadBalancingMode": "ratio-member"},
		ramp:     10 * time.Second, // as a device gives it to a pool
	}
}

func (m *migration) joined(ctx context.Context) error { return m.imported(ctx) }

// all moves all. In a joined pool that is asked for by two annotations, since
// nobody stands by then: its priority groups are not ours.
func (m *migration) all(ctx context.Context) error {
	if _, err := m.kubectl(ctx, "annotate", "service", m.app, "-n", "shop", "landbridge.dev/fallback=none"); err != nil {
		return err
	}
	m.said("ran", "kubectl annotate service "+m.app+" -n shop landbridge.dev/fallback=none")
	return m.move(100)(ctx)
}
