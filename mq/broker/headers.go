package broker

// Headers that Landbridge sets on the copies that go to retry and dead-letter
// queues, and on answers.
const (
	HeaderAttempt  = "landbridge-attempt"       // of the next delivery: 2 and up
	HeaderFirst    = "landbridge-first"         // when the first attempt was, RFC 3339
	HeaderExchange = "landbridge-exchange"      // that the message was published to at first
	HeaderKey      = "landbridge-routing-key"   // and its routing key
	HeaderUser     = "landbridge-user-id"       // who published it, as the broker had checked
	HeaderDeadline = "landbridge-expiration"    // its expiration, which a copy does not have
	HeaderReason   = "landbridge-reason"        // why the last attempt was none
	HeaderStatus   = "landbridge-status"        // its HTTP status, and that of an answer
	HeaderQueue    = "landbridge-queue"         // of a dead letter: where it was consumed
	HeaderService  = "landbridge-service"       // that had it last
	HeaderDead     = "landbridge-dead-lettered" // when it died, RFC 3339
	HeaderGone     = "landbridge-headers-gone"  // its headers that did not fit, of a dead letter, or that cannot be read
	HeaderCopy     = "landbridge-copy"          // by which Publisher knows a copy again
	OwnHeaders     = "landbridge-"              // what all of them begin with
)
