package config

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
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

// UnmarshalJSON reads a word, a number, or a list of words.
func (s *Setting) UnmarshalJSON(b []byte) error {
	var word string
	var words []string
	var number json.Number
	switch {
	case json.Unmarshal(b, &word) == nil:
		*s = Setting(word)
	case json.Unmarshal(b, &number) == nil:
		*s = Setting(number)
	case json.Unmarshal(b, &words) == nil:
		*s = Setting(strings.Join(words, ", "))
	default:
		return fmt.Errorf("%s is neither a word, a number nor a list of words", b)
	}
	return nil
}

// Range is the addresses from First to Last, both of one family, in one route
// domain of a BIG-IP.
type Range struct {
	First, Last netip.Addr
	// RouteDomain is 0 for the device's default, up to 65534.
	RouteDomain uint16
}

// ParseRange reads "203.0.113.16-203.0.113.31", "203.0.113.0/28" or a single
// address; in a route domain "203.0.113.16%2-203.0.113.31%2" and
// "203.0.113.0%2/28".
func ParseRange(s string) (Range, error) {
	first, last, isRange := strings.Cut(s, "-")
	first, domain, err := cutDomain(strings.TrimSpace(first))
	if err != nil {
		return Range{}, fmt.Errorf("%q: %w", s, err)
	}
	if p, err := netip.ParsePrefix(first); err == nil && !isRange {
		r := prefixRange(p)
		r.RouteDomain = domain
		return r, nil
	}
	same := domain
	if !isRange {
		last = first
	} else if last, same, err = cutDomain(strings.TrimSpace(last)); err != nil {
		return Range{}, fmt.Errorf("%q: %w", s, err)
	}
	a, errA := netip.ParseAddr(first)
	b, errB := netip.ParseAddr(last)
	if errA != nil || errB != nil {
		return Range{}, fmt.Errorf("%q is neither an address, a prefix nor a range first-last", s)
	}
	if same != domain {
		return Range{}, fmt.Errorf("%q begins and ends in different route domains", s)
	}
	if a.Is4() != b.Is4() {
		return Range{}, fmt.Errorf("%q mixes IPv4 and IPv6", s)
	}
	if b.Less(a) {
		return Range{}, fmt.Errorf("%q ends before it begins", s)
	}
	return Range{First: a, Last: b, RouteDomain: domain}, nil
}

// cutDomain takes the route domain out of "203.0.113.0%2/28".
func cutDomain(s string) (address string, domain uint16, err error) {
	before, after, has := strings.Cut(s, "%")
	if !has {
		return s, 0, nil
	}
	digits, bits, hasBits := strings.Cut(after, "/")
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || n > 65534 {
		return "", 0, fmt.Errorf("route domain %q is not a number from 0 to 65534", digits)
	}
	if hasBits {
		before += "/" + bits
	}
	return before, uint16(n), nil
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

// Contains says whether an address is in the range, whatever its route domain.
func (r Range) Contains(a netip.Addr) bool {
	return a.Is4() == r.First.Is4() && !a.Less(r.First) && !r.Last.Less(a)
}

// Overlaps says whether two ranges share an address.
func (r Range) Overlaps(o Range) bool {
	return r.RouteDomain == o.RouteDomain && r.overlaps(o)
}

func (r Range) overlaps(o Range) bool {
	return r.Contains(o.First) || o.Contains(r.First)
}

// String writes "first-last".
func (r Range) String() string {
	domain := ""
	if r.RouteDomain != 0 {
		domain = "%" + strconv.Itoa(int(r.RouteDomain))
	}
	return r.First.String() + domain + "-" + r.Last.String() + domain
}

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

// Prefix is a network as "203.0.113.0/24", without host bits.
type Prefix struct{ netip.Prefix }

// UnmarshalJSON reads a prefix.
func (p *Prefix) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("%s is not a prefix such as \"203.0.113.0/24\"", b)
	}
	parsed, err := netip.ParsePrefix(s)
	if err != nil || parsed.Addr().Is4In6() {
		return fmt.Errorf("%q is not a prefix such as \"203.0.113.0/24\"", s)
	}
	if parsed != parsed.Masked() {
		return fmt.Errorf("%q has host bits; write %s", s, parsed.Masked())
	}
	p.Prefix = parsed
	return nil
}

// MarshalJSON writes what UnmarshalJSON reads.
func (p Prefix) MarshalJSON() ([]byte, error) { return json.Marshal(p.String()) }
