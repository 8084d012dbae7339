package main

import "context"

// adopting is the chapter in which a virtual server and its pool are adopted,
// under their own names. Its clients come back to who answered them.
func (s *story) adopting() chapter {
	m := s.search
	return chapter{"Another is adopted, with persistence, and left again", []step{
		{"VMs serve behind the BIG-IP; some clients come back, to the VM that they know", m.callers},
		{"It is imported, to be adopted, and has pods that take nothing", m.adopted},
		m.shares("the first new clients", 5, m.move(5)),
		m.shares("a quarter of them", 25, m.move(25)),
		m.shares("half", 50, m.move(50)),
		m.shares("the VMs stand by, and keep whom they know", 100, m.move(100)),
		m.shares("something is wrong, and all goes back, those too whom pods knew", 0, m.move(0)),
		{"The Service is released", m.leave},
	}}
}

func (s *story) newSearch() *migration {
	return &migration{
		story: s, app: "search", virtual: "/web/search_vs", pool: "/web/search", number: 3, vms: []int{3, 4}, persist: true,
		settings: map[string]any{"loadBalancingMode": "round-robin", "slowRampTime": 0},
	}
}

func (m *migration) adopted(ctx context.Context) error { return m.imported(ctx, "--adopt") }
