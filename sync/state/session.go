package state

import "time"

// SessionState is how far a session with a router is.
type SessionState string

// The states.
const (
	Connecting  SessionState = "connecting"
	Established SessionState = "established"
)

// Session is how the speaker's session with one router stands.
type Session struct {
	Peer    string       `json:"peer"`
	Address string       `json:"address"`
	ASN     uint32       `json:"asn"`
	State   SessionState `json:"state"`
	// Since is when it came to this state.
	Since time.Time `json:"since"`
	// Families are those that the peer takes: "ipv4", "ipv6".
	Families []string `json:"families,omitempty"`
	// AddPaths says, family by family of Families, whether the peer takes
	// several next hops of a prefix.
	AddPaths []bool `json:"addPaths,omitempty"`
	// GracefulRestart says whether the peer keeps our routes while we are
	// away.
	GracefulRestart bool `json:"gracefulRestart,omitempty"`
	// Routes are how many prefixes the peer is told of.
	Routes int `json:"routes"`
	// Why is the last word on why the session is not, or was not, up.
	Why string `json:"why,omitempty"`
	// Flaps are how often it went down after it had been up.
	Flaps int `json:"flaps,omitempty"`
}

// Takes says of an established session whether its peer takes a family, 4 or
// 6, at all, and whether several next hops of a prefix.
func (s Session) Takes(version int) (takes, several bool) {
	for i, f := range s.Families {
		if f == map[int]string{4: "ipv4", 6: "ipv6"}[version] {
			return true, i < len(s.AddPaths) && s.AddPaths[i]
		}
	}
	return false, false
}
