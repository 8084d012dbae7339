// Package histories proves the engine by random histories: it makes small
// worlds of clusters, Services and one shared BIG-IP, lets anything happen in
// them (people change Services, the configuration and the device; processes
// are killed and change the lead; the device fails in every way that the
// simulator knows), and watches from outside that what DESIGN calls the rules
// that hold everywhere hold at every moment.
//
// A History is plain data that rapid draws and, when it fails, shrinks. Play
// plays it inside a bubble of testing/synctest, against the simulated BIG-IP's
// handler or against backends/memory: no sockets, and hours in milliseconds.
//
// There is no API server in it. A replica is one controller process: the real
// translation, ledger, worker and backend, with what sync/reconcile does around
// them played by this package.
package histories
