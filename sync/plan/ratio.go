package plan

// mostRatio is the largest ratio that a pool member takes (a device keeps it
// in 16 bits).
const mostRatio = 65535

// scale is what a share is reckoned from: the sums of the weights of the
// members that take clients, by side.
type scale struct {
	// Pods and VMs are multiplied as the share asks; Fixed is the weight of
	// VM members that have to stay as they are.
	Pods, VMs, Fixed int
	// MostPod and MostVM are the largest single weights: no ratio may come
	// out above mostRatio.
	MostPod, MostVM int
}

// ratios are the smallest factors of the pods' and the VMs' weights that bring
// the pods' part of the whole within one point of percent, 1 to 99, whatever
// the numbers on both sides. It is not ok where no factors do.
func (s scale) ratios(percent int) (pod, vm int, ok bool) {
	for pod = 1; pod*s.MostPod <= mostRatio; pod++ {
		part := pod * s.Pods
		// percent-1 <= 100 part/(part+rest) <= percent+1, solved for the rest.
		least := max(ceilDiv(part*(99-percent), percent+1), 1)
		most := part * (101 - percent) / max(percent-1, 1) // at 1 per cent the pods may get as little as can be
		if s.VMs == 0 {
			if s.Fixed < least {
				return 0, 0, false // more for the pods only takes it further away
			}
			if percent == 1 || s.Fixed <= most {
				return pod, 1, true
			}
			continue
		}
		vm = max(ceilDiv(least-s.Fixed, s.VMs), 1)
		if vm*s.MostVM > mostRatio {
			return 0, 0, false
		}
		if percent == 1 || vm*s.VMs+s.Fixed <= most {
			return pod, vm, true
		}
	}
	return 0, 0, false
}

// nearest is the share in per cent that comes closest to the one asked for
// with the VMs' weights as they stand.
func (s scale) nearest(percent int) int {
	rest := s.VMs + s.Fixed
	if rest == 0 || s.Pods == 0 {
		return 100
	}
	best := -1
	for pod := 1; pod*s.MostPod <= mostRatio; pod++ {
		got := (200*pod*s.Pods + pod*s.Pods + rest) / (2 * (pod*s.Pods + rest)) // rounded
		if best < 0 || abs(got-percent) < abs(best-percent) {
			best = got
		}
		if got > percent {
			break
		}
	}
	return best
}

func ceilDiv(a, b int) int {
	if a <= 0 {
		return -(-a / b)
	}
	return (a + b - 1) / b
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
