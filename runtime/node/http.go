package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Limits of the HTTP listener.
const (
	httpHeaderTimeout = 5 * time.Second
	httpHeaderBytes   = 64 << 10
	httpBodyBytes     = 1 << 20
	httpIdleTimeout   = 2 * time.Minute
	httpStopTimeout   = time.Second
)

// serveHTTP serves /healthz (up or not, nothing else) and /metrics.
func (n *Node) serveHTTP() {
	if n.web == nil {
		return
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", n.health)
	mux.Handle("GET /metrics", n.metricsHandler())
	n.http = &http.Server{
		Handler:           http.MaxBytesHandler(mux, httpBodyBytes),
		ReadHeaderTimeout: httpHeaderTimeout, ReadTimeout: httpHeaderTimeout, MaxHeaderBytes: httpHeaderBytes, IdleTimeout: httpIdleTimeout,
	}
	n.serving.Go(func() {
		if err := n.http.Serve(n.web); err != nil && !errors.Is(err, http.ErrServerClosed) {
			n.fail(fmt.Errorf("cannot serve HTTP: %w", err))
		}
	})
}

func (n *Node) health(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := n.Err(); err != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "failed\n") // the reason is in the log: health tells nothing else
		return
	}
	io.WriteString(w, "ok\n")
}

func (n *Node) stopHTTP() error {
	if n.http == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), httpStopTimeout)
	defer cancel()
	if err := n.http.Shutdown(ctx); err != nil {
		return n.http.Close()
	}
	return nil
}
