package bigip

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"landbridge.dev/testenv/bigip/fault"
)

// Control is a plain HTTP API over running devices, for tests that are not
// written in Go; unit 1 is the first device:
//
//	GET    /units                  state of each unit, as JSON
//	POST   /units/1/faults         body: a rule as in --fault; answers its number
//	DELETE /units/1/faults[/N]     takes one or all faults out; answers the hits
//	POST   /units/1/failover       hands the traffic to the peer
//	POST   /units/1/reboot         returns to the saved configuration
//	POST   /units/1/forget-tokens  logs everybody out
//	GET    /units/1/snapshot       the configuration as JSON
//	PUT    /units/1/snapshot       replaces it
//	GET    /units/1/requests       the latest calls as JSON
//	POST   /units/1/monitor        {"pool","member","state"}, without a data plane
func Control(devices ...*Device) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /units", func(w http.ResponseWriter, _ *http.Request) {
		type unit struct {
			URL, Hostname, Failover string
			Writes                  int
		}
		out := make([]unit, 0, len(devices))
		for _, d := range devices {
			out = append(out, unit{d.URL(), d.o.Hostname, d.FailoverState(), d.Writes()})
		}
		reply(w, out)
	})
	on := func(pattern string, f func(d *Device, r *http.Request) (any, error)) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			n, err := strconv.Atoi(r.PathValue("unit"))
			if err != nil || n < 1 || n > len(devices) {
				http.Error(w, "no such unit", http.StatusNotFound)
				return
			}
			answer, err := f(devices[n-1], r)
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			reply(w, answer)
		})
	}
	controlFaults(on)
	controlState(on)
	return mux
}

type controlRoute func(pattern string, f func(d *Device, r *http.Request) (any, error))

func controlFaults(on controlRoute) {
	on("POST /units/{unit}/faults", func(d *Device, r *http.Request) (any, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		rule, err := fault.Parse(strings.TrimSpace(string(body)))
		if err != nil {
			return nil, err
		}
		id, err := d.faults.Add(rule)
		return map[string]int{"id": id}, err
	})
	on("DELETE /units/{unit}/faults", func(d *Device, _ *http.Request) (any, error) {
		d.faults.Clear()
		return map[string]bool{"cleared": true}, nil
	})
	on("DELETE /units/{unit}/faults/{id}", func(d *Device, r *http.Request) (any, error) {
		id, err := strconv.Atoi(r.PathValue("id"))
		if err != nil {
			return nil, fmt.Errorf("fault %q: not a number", r.PathValue("id"))
		}
		return map[string]int{"hits": d.faults.Remove(id)}, nil
	})
}

func controlState(on controlRoute) {
	on("POST /units/{unit}/failover", func(d *Device, _ *http.Request) (any, error) {
		d.Failover()
		return map[string]string{"state": d.FailoverState()}, nil
	})
	on("POST /units/{unit}/reboot", func(d *Device, _ *http.Request) (any, error) {
		d.Reboot()
		return map[string]bool{"rebooted": true}, nil
	})
	on("POST /units/{unit}/forget-tokens", func(d *Device, _ *http.Request) (any, error) {
		d.ForgetTokens()
		return map[string]bool{"forgotten": true}, nil
	})
	on("GET /units/{unit}/snapshot", func(d *Device, _ *http.Request) (any, error) {
		snap, err := d.Snapshot()
		return json.RawMessage(snap), err
	})
	on("PUT /units/{unit}/snapshot", func(d *Device, r *http.Request) (any, error) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		return map[string]bool{"restored": true}, d.Restore(body)
	})
	on("GET /units/{unit}/requests", func(d *Device, _ *http.Request) (any, error) { return d.Requests(), nil })
	on("POST /units/{unit}/monitor", func(d *Device, r *http.Request) (any, error) {
		var in struct{ Pool, Member, State string }
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, err
		}
		d.SetMonitor(in.Pool, in.Member, in.State)
		return map[string]bool{"set": true}, nil
	})
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client may be gone
}
