package histories_test

import (
	"landbridge.dev/testenv/histories"
	"testing"
	"time"
)

func TestZZ(t *testing.T) {
	for w := range 8 {
		h := histories.History{Clusters: 1, Replicas: 1, Steps: []histories.Step{{Do: cart(), Then: time.Second}, {Do: histories.Hand{Do: histories.Untag, Which: w}, Then: 12 * time.Minute}}}
		_, v := playOne(t, h, histories.Memory)
		if v != nil {
			t.Log(v.Rule)
		}
		h.Steps[1].Do = histories.Hand{Do: histories.AddMember, Which: w}
		h.Steps = append(h.Steps, histories.Step{Do: histories.Delete{}, Then: 3 * time.Minute})
		_, v = playOne(t, h, histories.Memory)
		if v != nil {
			t.Log(v.Rule)
		}
	}
}
