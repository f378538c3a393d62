package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// server is one listener of the process, and what serves on it.
type server struct {
	http.Server
	listener net.Listener
	url      string // base
}

// listen takes a port. Whoever connects waits for serve.
func listen(ctx context.Context, addr string, logger *slog.Logger) (*server, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	return &server{
		Server: http.Server{
			ReadHeaderTimeout: 5 * time.Second,
			ReadTimeout:       15 * time.Second,
			WriteTimeout:      time.Minute, // a setup-intent may take 25 s
			IdleTimeout:       2 * time.Minute,
			MaxHeaderBytes:    64 << 10,
			ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelWarn),
		},
		listener: l,
		url:      "http://" + hostPort(addr, l.Addr()),
	}, nil
}

// serve tells failed why it ended.
func (s *server) serve(h http.Handler, failed chan<- error) {
	s.Handler = h
	go func() { failed <- s.Serve(s.listener) }()
}

// shutdown lets requests finish that are under way.
func (s *server) shutdown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	return errors.Join(s.Shutdown(ctx), s.release())
}

// stop does not.
func (s *server) stop() error { return errors.Join(s.Close(), s.release()) }

// release closes a listener that was never served.
func (s *server) release() error {
	if err := s.listener.Close(); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}

// hostPort is where a browser on this machine finds the listener.
func hostPort(asked string, got net.Addr) string {
	host, _, _ := net.SplitHostPort(asked)
	_, port, _ := net.SplitHostPort(got.String())
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = ""
	}
	return net.JoinHostPort(cmp.Or(host, "localhost"), port)
}
