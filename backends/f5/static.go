package f5

import (
	"context"
	"net/netip"
	"strings"

	"landbridge.dev/sync/state"
)

// staticRouteWire is a static route; its network is "default" for all (captured,
// 12.1.0 and 14.1.2.1), and neither it nor the gateway shows route domain 0.
type staticRouteWire struct {
	FullPath    string `json:"fullPath"`
	Description string `json:"description"`
	AppService  string `json:"appService"`
	Network     string `json:"network"`
	Gateway     string `json:"gw"`
}

type staticRouteCreate struct {
	place
	Description string `json:"description"`
	Network     string `json:"network"`
	Gateway     string `json:"gw"`
}

func encodeStaticRoute(r *state.StaticRoute) staticRouteCreate {
	return staticRouteCreate{place: placeOf(r.Path), Description: r.Owner.Tag(), Network: r.Network.String(), Gateway: r.Gateway.String()}
}

// staticRouteChanges leave the network out, which is fixed.
func staticRouteChanges(before, after *state.StaticRoute) properties {
	p := properties{}
	p.set(before.Owner != after.Owner, "description", after.Owner.Tag())
	p.set(before.Gateway != after.Gateway, "gw", after.Gateway.String())
	return p
}

func (d *decoder) staticRoute(w *staticRouteWire) *state.StaticRoute {
	r := &state.StaticRoute{Backend: d.backend, Path: strings.Clone(w.FullPath), Owner: d.named(w.Description, w.AppService, w.FullPath).Owner}
	if p, err := netip.ParsePrefix(w.Network); err == nil {
		r.Network = p.Masked()
	}
	if a, err := netip.ParseAddr(w.Gateway); err == nil && !r.Owner.IsZero() {
		r.Gateway = a
	}
	return r
}

func (r *reader) staticRoutes(ctx context.Context) ([]state.Object, error) {
	var objects []state.Object
	d := newDecoder(r.opts.Name)
	p := pages[staticRouteWire]{
		session: r.session, path: staticRoutesPath + "?$select=name,partition,fullPath,description,appService,network,gw", size: plainPage,
		key:   func(w *staticRouteWire) string { return w.FullPath },
		reset: func() { objects = nil },
		each:  func(w *staticRouteWire) { objects = append(objects, d.staticRoute(w)) },
	}
	err := p.read(ctx)
	return objects, err
}
