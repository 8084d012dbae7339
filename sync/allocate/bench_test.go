package allocate_test

import (
	"fmt"
	"testing"

	"landbridge.dev/sync/allocate"
)

// BenchmarkClaim is a Service's claim that says what it said before, as at each
// change of an endpoint, among 25,000 Services with an address each.
func BenchmarkClaim(b *testing.B) {
	book := allocate.New()
	book.Open()
	book.Read(dc1, nil)
	big := granted(pool("big", "10.0.0.0/15"))
	for i := range 25_000 {
		book.Claim(claim(fmt.Sprintf("a%d", i), big))
	}
	c := claim("a12345", big)
	b.ReportAllocs()
	for b.Loop() {
		book.Claim(c)
	}
}
