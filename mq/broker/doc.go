// Package broker is the connection to RabbitMQ: links that come back by
// themselves, publishers that know what became of each message, subscriptions,
// and what Landbridge declares. No type of the AMQP library leaves it.
//
// The library's own recovery is off: it reopens a channel under the deliveries
// of the one before, whose acknowledgements would then be those of other
// messages. Here each connection is a Session with an epoch of its own, a
// channel that has closed stays closed, and what was delivered on it can be
// settled on no other.
//
// A channel is one consumer's or one publisher's and nobody else's. The broker
// answers a mistake by closing the channel that it was made on, with all that
// is in flight there; so it concerns him alone who made it. What would close
// the whole connection (a name of more than 255 bytes, a header that cannot be
// encoded) is refused before it is written: Message.Check.
package broker
