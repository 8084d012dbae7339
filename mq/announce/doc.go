// Package announce tells VMs over the broker where services of the cluster are:
// the whole state of a Service at each change, and now and then without one, so
// that a reader may expire what nobody says any more; on request, all at once.
// An epoch, which every leader has greater than those before, and a revision
// within it let a reader never go back.
package announce
