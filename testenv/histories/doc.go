// Package histories proves the engine by random histories: it makes small
// worlds of clusters, Services and one shared BIG-IP, lets anything happen in
// them (people change Services, the configuration and the device; processes
// are killed and change the lead; the device fails in every way that the
// simulator knows), and watches from outside that what DESIGN calls the rules
// that hold everywhere hold at every moment.
//
// A History is plain data that rapid draws and, when it fails, shrinks. Play
// plays it inside a bubble of testing/synctest, against the handlers of one
// simulated BIG-IP, of two that are a pair, or against backends/memory: no
// sockets, and hours in milliseconds. Each replica has a speaker besides, that
// of backends/bgp without its sessions; what routers have of its table, and keep
// when it goes without a word, is played here (voice.go, routers.go).
//
// There is no API server in it. A replica is one controller process: the real
// translation, addresses, ledger, worker and backend, with what sync/reconcile
// does around them played by this package (claim.go).
//
// The observer looks from outside, at what stands on the device and at each
// change that takes effect there. At every moment nothing foreign changes
// (observer.go), no address and port serves two (apart.go), no plan takes away
// what is wanted (judge.go), and who is ready takes clients, unless a fault or
// something unseen may still keep it from that (check.go, trouble.go). A route
// goes before the virtual server that it leads to, next hops are nodes that may
// be such, and no restart, no other leader and no absence of the API server takes
// a route away that is wanted; the brake holds (voice.go, routers.go). At rest
// every Service is as asked or says why not; once people have done what it said,
// all is as a rebuild on an empty device makes it, and nothing is written any
// more (finale.go).
//
// A history that breaks a rule is printed in words, and as Go to be put among
// the stories of the test.
package histories
