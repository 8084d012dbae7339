// Package publish is the gateway's API for pods that speak no AMQP: they
// publish messages, ask and get answers, and look after dead letters, by HTTP.
//
//	POST /v1/vhosts/{vhost}/exchanges/{exchange}/{key}   one message
//	POST /v1/vhosts/{vhost}/batch                        a message a line
//	POST /v1/vhosts/{vhost}/rpc/{exchange}/{key}         a question
//	GET  /v1/vhosts/{vhost}/dead/{queue}                 dead letters
//	POST /v1/vhosts/{vhost}/dead/{queue}/replay          back into their queue
//
// The default vhost is written %2F, the default exchange amq.default. A message
// is durable, mandatory and confirmed, and each outcome has a status of its
// own: 202 is in every queue that it was routed to; 422 went nowhere; 429 was
// refused by a full queue, or is one too many now; 503 was never sent; 504 may or may not have arrived,
// and is sent again with the same Idempotency-Key.
//
// Who calls is proven by the token of a ServiceAccount, and where he may
// publish the tenants' list says. Each namespace has channels of its own: what
// it does wrong closes nobody else's. What would close the connection, or route
// a message past the list, is refused before it is written.
package publish
