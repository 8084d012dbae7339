package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strings"
	"time"
)

// Duration is written as in Go: "90s", "5m", "0s".
type Duration time.Duration

// UnmarshalJSON reads a quoted duration. Negative ones are errors.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s is not a duration such as \"30s\" or \"5m\"", b)
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a duration such as \"30s\" or \"5m\"", s)
	}
	*d = Duration(v)
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// Range is the addresses from First to Last, both of one family.
type Range struct {
	First, Last netip.Addr
}

// ParseRange reads "203.0.113.16-203.0.113.31", "203.0.113.0/28" or a single
// address.
func ParseRange(s string) (Range, error) {
	if p, err := netip.ParsePrefix(s); err == nil {
		return prefixRange(p), nil
	}
	first, last, ok := strings.Cut(s, "-")
	if !ok {
		last = first
	}
	a, errA := netip.ParseAddr(strings.TrimSpace(first))
	b, errB := netip.ParseAddr(strings.TrimSpace(last))
	if errA != nil || errB != nil || a.Zone() != "" || b.Zone() != "" {
		return Range{}, fmt.Errorf("%q is neither an address, a prefix nor a range first-last", s)
	}
	if a.Is4() != b.Is4() {
		return Range{}, fmt.Errorf("%q mixes IPv4 and IPv6", s)
	}
	if b.Less(a) {
		return Range{}, fmt.Errorf("%q ends before it begins", s)
	}
	return Range{First: a, Last: b}, nil
}

func prefixRange(p netip.Prefix) Range {
	first := p.Masked().Addr()
	last := first.AsSlice()
	for bit := p.Bits(); bit < len(last)*8; bit++ {
		last[bit/8] |= 1 << (7 - bit%8)
	}
	end, _ := netip.AddrFromSlice(last)
	return Range{First: first, Last: end}
}

// Contains says whether an address is in the range.
func (r Range) Contains(a netip.Addr) bool {
	return a.Is4() == r.First.Is4() && !a.Less(r.First) && !r.Last.Less(a)
}

// Overlaps says whether two ranges share an address.
func (r Range) Overlaps(o Range) bool {
	return r.Contains(o.First) || o.Contains(r.First)
}

// String writes "first-last".
func (r Range) String() string { return r.First.String() + "-" + r.Last.String() }

// UnmarshalJSON reads what ParseRange reads.
func (r *Range) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s is not a range of addresses", b)
	}
	parsed, err := ParseRange(s)
	if err != nil {
		return err
	}
	*r = parsed
	return nil
}

// MarshalJSON writes "first-last".
func (r Range) MarshalJSON() ([]byte, error) { return json.Marshal(r.String()) }
