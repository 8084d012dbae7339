// Package scale measures landbridge as its users run it, a process of its own
// with a real API server, at many Services: how soon a change of an endpoint
// arrives at the BIG-IP, what a restart reads and writes, and how much memory
// it takes.
//
// What a machine does today it may do in twice the time tomorrow. So latencies
// are measured beside a bare watch of the same API server, in the same moments.
//
// It runs inside the namespaces of package netns. The device is simulated, has
// no data plane and answers at once.
package scale
