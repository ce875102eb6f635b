package gateway

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// drainTime is how long answers that run may go on after a stop. systemd waits a little longer.
	drainTime = 30 * time.Second
	// headerTime is for nginx, which sends a head at once.
	headerTime = 10 * time.Second
)

// Serve answers on the listener until ctx is over. Then requests that wait are refused, and answers
// that run may end, for drainTime.
func (g *Gateway) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: g, ReadHeaderTimeout: headerTime, ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelWarn)}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		g.Stop()
		// The context is over: the time to drain is one of its own.
		draining, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainTime)
		defer cancel()
		stopped <- errors.Join(server.Shutdown(draining), server.Close())
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
