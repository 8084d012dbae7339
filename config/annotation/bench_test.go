package annotation_test

import (
	"testing"

	"landbridge.dev/config/annotation"
)

// Every annotation of every Service is looked up, several times a change.
func BenchmarkFind(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		annotation.Find("drain-timeout")
	}
}
