// Package agent is what runs on a VM: it registers the VM's services for as
// long as their health checks pass, and keeps files that say where services of
// the cluster are. It needs no rights but to reach the broker and to write its
// files, and it never gives up: what fails is tried again.
package agent
