package plan

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// near says whether a part is within one point of a share, in whole numbers.
func near(part, rest, percent int) bool {
	return 100*part >= (percent-1)*(part+rest) && 100*part <= (percent+1)*(part+rest)
}

// The rule of shares over every number of pods and VMs from 1 to 60 and every
// share from 1 to 99: within one point, and no smaller pair of ratios is.
func TestRatiosOverAll(t *testing.T) {
	t.Parallel()
	for pods := 1; pods <= 60; pods++ {
		t.Run(fmt.Sprint(pods, " pods"), func(t *testing.T) {
			t.Parallel()
			for vms := 1; vms <= 60; vms++ {
				for percent := 1; percent <= 99; percent++ {
					s := scale{Pods: pods, VMs: vms, MostPod: 1, MostVM: 1}
					p, v, ok := s.ratios(percent)
					if !ok || p < 1 || v < 1 || p > mostRatio || v > mostRatio || !near(p*pods, v*vms, percent) {
						t.Fatalf("%d pods, %d VMs, %d per cent: ratios %d and %d, ok %t", pods, vms, percent, p, v, ok)
					}
					for q := 1; q < p; q++ { // a smaller ratio of the pods, with whichever of the VMs
						for _, w := range []int{q * pods * (100 - percent) / (percent * vms), q*pods*(100-percent)/(percent*vms) + 1} {
							if w >= 1 && near(q*pods, w*vms, percent) {
								t.Fatalf("%d pods, %d VMs, %d per cent: ratios %d and %d, and %d and %d would do", pods, vms, percent, p, v, q, w)
							}
						}
					}
					if v > 1 && near(p*pods, (v-1)*vms, percent) {
						t.Fatalf("%d pods, %d VMs, %d per cent: ratio %d of the VMs, and %d would do", pods, vms, percent, v, v-1)
					}
				}
			}
		})
	}
}

func TestRatios(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		scale   scale
		percent int
		pod, vm int
		ok      bool
	}{
		{name: "half and half", scale: scale{Pods: 2, VMs: 2, MostPod: 1, MostVM: 1}, percent: 50, pod: 1, vm: 1, ok: true},
		{name: "a first careful step", scale: scale{Pods: 2, VMs: 2, MostPod: 1, MostVM: 1}, percent: 5, pod: 1, vm: 16, ok: true},
		{name: "twenty VMs as they are, one pod", scale: scale{Pods: 1, Fixed: 20, MostPod: 1}, percent: 5, pod: 1, vm: 1, ok: true},
		{name: "one VM as it is leaves one pod too much", scale: scale{Pods: 1, Fixed: 1, MostPod: 1}, percent: 5},
		{name: "one VM as it is, and most for the pod", scale: scale{Pods: 1, Fixed: 1, MostPod: 1}, percent: 95, pod: 16, vm: 1, ok: true},
		{name: "between two steps", scale: scale{Pods: 1, Fixed: 1, MostPod: 1}, percent: 58},
		{name: "weights of nodes", scale: scale{Pods: 5, VMs: 1, MostPod: 4, MostVM: 1}, percent: 50, pod: 1, vm: 5, ok: true},
		{name: "VMs that differ keep their proportion", scale: scale{Pods: 1, VMs: 3, MostPod: 1, MostVM: 2}, percent: 25, pod: 1, vm: 1, ok: true},
		{name: "5,000 pods and one VM at one per cent is past the largest ratio", scale: scale{Pods: 5000, VMs: 1, MostPod: 1, MostVM: 1}, percent: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			p, v, ok := test.scale.ratios(test.percent)
			if ok != test.ok || ok && (p != test.pod || v != test.vm) {
				t.Errorf("got %d, %d, %t; want %d, %d, %t", p, v, ok, test.pod, test.vm, test.ok)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		scale         scale
		percent, want int
	}{
		{scale{Pods: 1, Fixed: 1, MostPod: 1}, 5, 50},
		{scale{Pods: 1, Fixed: 1, MostPod: 1}, 60, 67},
		{scale{Pods: 2, Fixed: 20, MostPod: 1}, 5, 9},
		{scale{Pods: 3, MostPod: 1}, 5, 100},
	} {
		if got := test.scale.nearest(test.percent); got != test.want {
			t.Errorf("%+v at %d: nearest %d, want %d", test.scale, test.percent, got, test.want)
		}
	}
}

// Whatever the weights: what is found is within one point, and no ratio too
// large; and where VMs may be set freely and are few, it is found.
func TestRatiosOfAnyWeights(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := scale{
			Pods: rapid.IntRange(1, 5000).Draw(t, "pods"), VMs: rapid.IntRange(0, 200).Draw(t, "VMs"),
			Fixed: rapid.IntRange(0, 200).Draw(t, "fixed"), MostPod: 1, MostVM: 1,
		}
		percent := rapid.IntRange(1, 99).Draw(t, "percent")
		p, v, ok := s.ratios(percent)
		if ok && (!near(p*s.Pods, v*s.VMs+s.Fixed, percent) || p > mostRatio || v > mostRatio) {
			t.Fatalf("ratios %d and %d", p, v)
		}
	})
}
