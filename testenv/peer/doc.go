// Package peer speaks the server's side of AMQP 0-9-1 on a socket, as a test
// tells it: for what a real broker cannot be made to do on time. A confirm that
// comes late, or after the return of the same message; a connection that is
// blocked, cut or closed between a publish and its confirm; heartbeats that
// stop; deliveries to a consumer that has just cancelled.
//
// It answers by itself what opens connections, channels and consumers, and says
// yes to whatever is declared. It keeps no queues and routes nothing: each message
// that is published waits for the test to say what becomes of it.
package peer
