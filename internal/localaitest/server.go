package localaitest

import (
	"net"
	"net/http"
	"testing"
)

// Server is a running stand-in on a free port of the loopback address.
type Server struct {
	// URL is "http://127.0.0.1:<port>".
	URL string
	// Address is "127.0.0.1:<port>".
	Address string

	http *http.Server
}

// NewServer starts a server that is closed at the end of the test.
func NewServer(t testing.TB, options Options) *Server {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen for the LocalAI stand-in: %v", err)
	}
	address := listener.Addr().String()
	server := &Server{
		URL:     "http://" + address,
		Address: address,
		http:    &http.Server{Handler: NewHandler(options)},
	}
	go func() { _ = server.http.Serve(listener) }()
	t.Cleanup(server.Close)
	return server
}

// Close stops the server at once, including running streams. Afterwards connections to Address
// are refused, as when the real LocalAI is down or still loading its model.
func (s *Server) Close() { _ = s.http.Close() }
