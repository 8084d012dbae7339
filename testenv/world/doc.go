// Package world puts the parts of the test environment together into one small
// company, for the script tests and the lab: a real control plane with nodes,
// a simulated BIG-IP with a data plane, and landbridge as its users run it, a
// process of its own with a configuration file, a mounted password and exactly
// the rights of its ServiceAccount.
//
// It runs inside the namespaces of package netns. Many worlds may stand side
// by side in there: each has loopback addresses and virtual addresses of its
// own.
package world
