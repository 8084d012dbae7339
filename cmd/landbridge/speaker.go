package main

import (
	"fmt"
	"net/netip"
	"os"

	"go.uber.org/zap"

	"landbridge.dev/backends/bgp"
	"landbridge.dev/config"
	"landbridge.dev/sync/reconcile"
)

// speakerFlags say who this replica is to routers.
type speakerFlags struct {
	address string
}

// podIP is the environment variable in which a pod finds its own address
// (the downward API's status.podIP).
const podIP = "POD_IP"

// speakerConcurrency is how many Services are announced at once. The calls are
// short, and wait for a planned withdrawal to be heard.
const speakerConcurrency = 256

// speaker is the backend that announces routes; nil where none is configured.
func (f speakerFlags) speaker(c *config.Config, log *zap.Logger, metrics *bgp.Metrics) (*bgp.Speaker, error) {
	if c.BGP == nil {
		return nil, nil //nolint:nilnil // there is no speaker, and that is no error
	}
	text := f.address
	if text == "" {
		text = os.Getenv(podIP)
	}
	var address netip.Addr
	if text != "" {
		var err error
		if address, err = netip.ParseAddr(text); err != nil {
			return nil, fmt.Errorf("--bgp-address: %w", err)
		}
	}
	return bgp.New(bgp.Options{Config: c.BGP, Address: address, Log: log.Named("bgp"), Metrics: metrics}), nil
}

// announcer is a speaker as a backend of the reconciler.
func announcer(s *bgp.Speaker, c *config.Config) reconcile.Backend {
	return reconcile.Backend{
		Backend: s, Concurrency: speakerConcurrency, Always: c.BGP.Speakers == config.SpeakersAll,
	}
}
