// Package registry keeps the leases of VMs that register over the broker.
//
// Table is the pure core: what a message does to the leases, and what time
// does. Who sends a message is the broker's word; when a lease ends is by our
// clock alone; of two messages the later is told by boot and sequence, never by
// a VM's clock. Server reads the messages of the broker and answers them.
//
// A lease that is not renewed makes its VM silent: it takes no new clients. As
// long again, and the VM is gone. Nobody falls silent while the broker is away,
// nor in the first lease after it is back or after another leader has taken
// over; and where a third of a Service's VMs, and at least three, stop renewing
// together, all of them stay as they are, because it is more likely that
// messages do not get through than that so many machines died at once.
//
// Where a Service has its VMs probed, one takes clients only while it also answers
// us: a program that renews may be one that does not serve.
package registry
