// Package router runs real routers for tests and the lab: BIRD and FRR's bgpd,
// from the Debian packages, as processes without any privilege. They take
// routes in and put none into the kernel. What a test says of an announcement it
// reads here, from the router's own table.
//
// A router that is Linked is the exception: it stands in a network namespace of
// its own and does forward packets by what it was told.
package router

// Packages are those of Debian that the routers come from.
func Packages() []string { return []string{"bird2", "frr"} }
