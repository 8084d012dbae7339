// Package f5 keeps objects on a BIG-IP over iControl REST.
//
// A call goes through these layers, each with one duty:
//
//	Backend    state objects ↔ wire structs, Units ↔ calls, errors ↔ Outcomes
//	group      which unit of a device group is active, and for how long
//	session    one token a process, a shell of go-bigip for each call
//	tripper    the call's context, the limit of calls, metrics, typed errors
//	retrying   GETs alone are asked again
//	transport  pooled connections, TLS, the CA file read for each of them
//
// A Unit goes in single calls, and in a transaction where it makes or removes
// whole objects (transaction.go says when). What follows changes, saving and
// syncing, is the upkeep's, which Watch drives.
//
// go-bigip (f5devcentral/go-bigip@79fc4d8:bigip.go) knows no context, loses
// the status of an answer, takes an error without a message for success and
// must not be shared between goroutines. All of it is mended at one seam: each
// call has a bigip.BigIP of its own, on whose http.Transport a RoundTripper is
// registered for the scheme (net/http Transport.RegisterProtocol), so that
// every request goes through ours. Updates are PATCHes of the properties that
// change: a PUT would reset the others (scottdware/go-bigip#13, #85).
package f5
