// Command pod is what runs in the containers of real pods: the application with
// the argument serve; without one nothing, which holds a pod's namespaces.
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"landbridge.dev/testenv/app"
)

// address is where the application serves.
const address = ":8080"

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 {
		return serve(ctx)
	}
	<-ctx.Done()
	return nil
}

// serve serves until it is told to end, and then ends as an application should
// : what has begun is answered, connections that idle are
// closed.
func serve(ctx context.Context) error {
	name, err := os.Hostname()
	if err != nil {
		return err
	}
	var ending atomic.Bool
	s := &http.Server{Addr: address, Handler: app.New(name, func() bool { return !ending.Load() }), ReadHeaderTimeout: time.Minute}
	ended := make(chan error, 1)
	go func() { ended <- s.ListenAndServe() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	ending.Store(true)
	// The kubelet kills it when the grace period is over.
	if err := s.Shutdown(context.Background()); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
