package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"

	"go.uber.org/zap"
)

// debugPath is where the level of the log is read (GET) and changed (PUT
// level=debug, or JSON), as zap.AtomicLevel does it.
const debugPath = "/log-level"

// listenDebug serves profiles and the level of the log. Profiles show memory,
// with whatever secrets are in it, so that only the process's own machine or
// pod may ask: kubectl port-forward leads there.
func listenDebug(address string, level zap.AtomicLevel) (*httpServer, error) {
	host, _, err := net.SplitHostPort(address)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("--debug-listen: %q must be a loopback address and a port, such as 127.0.0.1:6060", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("--debug-listen: %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	mux.Handle(debugPath, level)
	return &httpServer{listener: l, server: &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}}, nil
}
