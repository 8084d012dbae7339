// Package bgp announces routes to routers: the backend whose objects are
// routes, and whose far ends are BGP sessions. The speaker is GoBGP, embedded.
//
// A Speaker holds the table of what is announced, and for each peer a session.
// Each session has a BGP server of its own, with a table that holds just what
// this peer is told: so peers differ in their routes and in how many next hops
// they take, a peer that hangs holds up no other, and a restart under graceful
// restart is between the two of us alone (with several peers in one server the
// first that is in step ends the restart for all).
//
// Nothing outside remembers our routes. After a start the table is empty; the
// worker fills it, and only then, with Begin, the sessions are opened: the
// router, which has kept the routes of the process before, is told the whole
// table and then the end of it (RFC 4724). For the same reason sessions are left
// without a word when the process ends: see leave.
//
// No type of GoBGP leaves the package.
package bgp
