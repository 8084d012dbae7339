package scale

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Figures are what was measured in one scene.
type Figures struct {
	Latency Latency
	// Onboarding is how long it took from landbridge's start until everything
	// stood on an empty device and every Service said so.
	Onboarding time.Duration
	// Restart is how long a process that starts anew takes until it knows that
	// all is in step; RestartReads and RestartWrites are its calls to the device.
	Restart                     time.Duration
	RestartReads, RestartWrites int
	// RSS is the process' resident memory after that, PeakRSS the most that it
	// ever was in the process' life, in bytes.
	RSS, PeakRSS int64
}

const (
	onboardTimeout = 20 * time.Minute
	restartTimeout = 5 * time.Minute
)

// Measure fills a world with Services and measures all. It takes about a minute
// for 1,000 Services, and ten for 25,000 with ten endpoints each; all that it
// starts has ended when it returns.
func Measure(ctx context.Context, o Options) (f Figures, err error) {
	s, err := open(ctx, o)
	if err != nil {
		return f, fmt.Errorf("measuring at %d Services: %w", o.Services, err)
	}
	defer func() { err = errors.Join(err, s.close()) }()
	for _, measure := range []func(context.Context, *Figures) error{s.onboard, s.latency, s.restart, s.memory} {
		if err := measure(ctx, &f); err != nil {
			return f, fmt.Errorf("measuring at %d Services: %w", o.Services, err)
		}
		runtime.GC() // this process shares the cores with what it measures
	}
	return f, nil
}

func (s *scene) onboard(ctx context.Context, f *Figures) (err error) {
	ctx, cancel := context.WithTimeout(ctx, onboardTimeout)
	defer cancel()
	began := time.Now()
	if s.controller, err = s.world.StartController("controller"); err != nil {
		return err
	}
	standing := func() (bool, error) { return len(s.world.Device.Objects("ltm/virtual", "")) >= s.Services, nil }
	if err := s.until(ctx, standing); err != nil {
		return fmt.Errorf("%d of %d virtual servers stand: %w", len(s.world.Device.Objects("ltm/virtual", "")), s.Services, err)
	}
	s.say("all virtual servers stand after %.0f s", time.Since(began).Seconds())
	if err := s.until(ctx, func() (bool, error) { return s.allSay(ctx) }); err != nil {
		return fmt.Errorf("not every Service has its condition: %w", err)
	}
	f.Onboarding = time.Since(began)
	s.say("all Services say so after %.0f s", f.Onboarding.Seconds())
	return s.controller.AwaitLeading(ctx)
}

// allSay says whether every Service has its finalizer and a condition.
func (s *scene) allSay(ctx context.Context) (bool, error) {
	// Version 0 is answered from the API server's memory.
	all, err := s.client.CoreV1().Services(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		return false, err
	}
	said := 0
	for _, svc := range all.Items {
		if svc.Namespace == namespace && hasCondition(&svc) {
			said++
		}
	}
	return said == s.Services, nil
}

func hasCondition(svc *corev1.Service) bool {
	for _, c := range svc.Status.Conditions {
		if c.Status == metav1.ConditionTrue {
			return true
		}
	}
	return false
}

func (s *scene) latency(ctx context.Context, f *Figures) (err error) {
	if f.Latency, err = s.flips(ctx); err == nil {
		l := f.Latency
		s.say("%d flips: bare watch p50 %s, p99 %s; call at the device p50 %s, p99 %s; %d calls",
			s.Flips, l.Watch.P50, l.Watch.P99, l.Device.P50, l.Device.P99, l.Calls)
	}
	return err
}

// restart ends landbridge as a crash does, and starts it again.
func (s *scene) restart(ctx context.Context, f *Figures) error {
	ctx, cancel := context.WithTimeout(ctx, restartTimeout)
	defer cancel()
	s.controller.Kill()
	calls, writes := len(s.world.Device.Requests()), s.world.Device.Writes()
	mark := time.Now()
	again, err := s.world.StartController("controller")
	if err != nil {
		return err
	}
	s.controller = again
	if err := s.controller.AwaitLeading(ctx); err != nil {
		return err
	}
	f.Restart = time.Since(mark)
	f.RestartWrites = s.world.Device.Writes() - writes
	for _, r := range s.world.Device.Requests() {
		if r.Time.After(mark) {
			f.RestartReads++
		}
	}
	s.say("in step %.1f s after a restart: %d reads, %d writes (%d calls before)", f.Restart.Seconds(), f.RestartReads, f.RestartWrites, calls)
	return nil
}

func (s *scene) memory(_ context.Context, f *Figures) error {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.controller.PID()))
	if err != nil {
		return err
	}
	for line := range bytes.Lines(raw) {
		key, value, _ := bytes.Cut(line, []byte(":"))
		kib, err := strconv.ParseInt(string(bytes.TrimSuffix(bytes.TrimSpace(value), []byte(" kB"))), 10, 64)
		switch {
		case err != nil:
		case string(key) == "VmRSS":
			f.RSS = kib << 10
		case string(key) == "VmHWM":
			f.PeakRSS = kib << 10
		}
	}
	s.say("%d MB of memory, at most %d", f.RSS>>20, f.PeakRSS>>20)
	return nil
}

// until polls until done says so.
func (s *scene) until(ctx context.Context, done func() (bool, error)) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		ok, err := done()
		if err != nil || ok {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
