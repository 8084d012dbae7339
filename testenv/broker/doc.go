// Package broker runs RabbitMQ, as Debian ships it, as private nodes: one, or
// several as a cluster. A node has its own folder, ports, cookie and plugins,
// starts in about ten seconds, and can be stopped, killed, paused and started
// again over the same data.
//
// It runs the scripts of /usr/lib/rabbitmq/bin and not Debian's wrapper in
// /usr/sbin, which insists on the system's own node. It is for use in
// namespaces of our own (package netns): Erlang's port mapper outlives the
// node that started it, and ends with them.
package broker
