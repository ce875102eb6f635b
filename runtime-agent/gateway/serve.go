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
	// drainTime is how long answers that run may go on after a stop, and endTime how long the others
	// may take to say that they cannot. systemd waits a little longer.
	drainTime = 30 * time.Second
	endTime   = 2 * time.Second
	// headerTime is for nginx, which sends a head at once.
	headerTime = 10 * time.Second
)

// Serve answers on the listener until ctx is over. Then requests that wait are refused, and answers
// that run may end, for drainTime; then they end in an error.
func (g *Gateway) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: g, ReadHeaderTimeout: headerTime, ErrorLog: slog.NewLogLogger(g.log.Handler(), slog.LevelWarn)}
	go g.keepStored(ctx)
	go g.keepWarm(ctx)
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		g.stop()
		// The context is over: the times to drain are ones of their own.
		ctx = context.WithoutCancel(ctx)
		if shutDown(ctx, server, g.drainTime) == nil {
			stopped <- nil
			return
		}
		g.end()
		stopped <- errors.Join(shutDown(ctx, server, endTime), server.Close())
	}()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}

func shutDown(ctx context.Context, server *http.Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return server.Shutdown(ctx)
}
