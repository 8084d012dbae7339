package kube_test

import (
	"testing"
	"time"

	"landbridge.dev/testenv/kube"
)

func TestSmoke(t *testing.T) {
	for range 3 {
		b := time.Now()
		cp, err := kube.Start(t.Context(), kube.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Log(time.Since(b))
		b = time.Now()
		if err := cp.Stop(); err != nil {
			t.Fatal(err)
		}
		t.Log(time.Since(b))
	}
}
