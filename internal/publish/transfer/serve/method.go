package serve

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"sync"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

const (
	// headerTimeout is for the header of a request, idleTimeout for the wait for the next one.
	headerTimeout = 10 * time.Second
	idleTimeout   = time.Minute
	// maxHeader is in bytes; a front-end's curl sends a few hundred.
	maxHeader = 8 << 10
)

// Method serves images.
type Method struct {
	options Options

	mu     sync.Mutex
	server *http.Server
	// base is scheme, host and port, once the server listens.
	base string
	// files are keyed by URL path.
	files map[string]served
}

type served struct {
	transfer.File
	say func(string)
}

var _ transfer.Method = (*Method)(nil)

// New returns a Method for options without mistakes. It does not listen yet.
func New(options Options) *Method {
	return &Method{options: options, files: map[string]served{}}
}

// Check starts listening.
func (m *Method) Check(ctx context.Context, _ []transfer.File) error { return m.listen(ctx) }

// Local returns nothing: the front-end downloads the file.
func (m *Method) Local(transfer.File) string { return "" }

// Send makes the file available and returns its URL, which is a secret.
func (m *Method) Send(ctx context.Context, file transfer.File, say func(string)) (string, error) {
	info, err := os.Stat(file.Path)
	if err != nil {
		return "", fmt.Errorf("serve the image: %w", err)
	}
	if info.Size() != file.Size {
		return "", fmt.Errorf("serve the image: %s has %d bytes now, %d were expected: something changed it meanwhile", file.Path, info.Size(), file.Size)
	}
	if err := m.listen(ctx); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	secret := make([]byte, 20)
	_, _ = rand.Read(secret) // never fails (crypto/rand)
	place := path.Join("/", hex.EncodeToString(secret), file.Name)
	m.files[place] = served{file, say}
	say("Serving " + file.Name + " at " + m.base + " until the front-end has it")
	return m.base + (&url.URL{Path: place}).EscapedPath(), nil
}

// Remove stops serving a file.
func (m *Method) Remove(_ context.Context, file transfer.File) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for place, offered := range m.files {
		if offered.Name == file.Name {
			delete(m.files, place)
		}
	}
	return nil
}

// Close stops the server and closes all connections.
func (m *Method) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server == nil {
		return nil
	}
	err := m.server.Close()
	m.server = nil
	clear(m.files)
	return err
}

// listen does nothing if the server already listens.
func (m *Method) listen(ctx context.Context) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.server != nil {
		return nil
	}
	server := &http.Server{
		Handler:           http.HandlerFunc(m.answer),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		// Its messages would contain what strangers send.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	scheme := "http"
	if m.options.CertificateFile != "" {
		certificate, err := tls.LoadX509KeyPair(m.options.CertificateFile, m.options.KeyFile)
		if err != nil {
			return fmt.Errorf("serve the image: read certificate_file and key_file: %w", err)
		}
		scheme, server.TLSConfig = "https", &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}}
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", m.options.Listen)
	if err != nil {
		return fmt.Errorf("serve the image: %w; choose another port for listen", err)
	}
	m.server, m.base = server, scheme+"://"+m.dialled(listener.Addr())
	if server.TLSConfig != nil {
		listener = tls.NewListener(listener, server.TLSConfig)
	}
	// Serve returns when Close has been called.
	go func() { _ = server.Serve(listener) }()
	return nil
}

// dialled is the address the front-end connects to: Address, or the host of Listen with the
// port that was bound.
func (m *Method) dialled(address net.Addr) string {
	if m.options.Address != "" {
		return m.options.Address
	}
	host, _ := split(m.options.Listen, 0)
	_, port, _ := net.SplitHostPort(address.String())
	return net.JoinHostPort(host, port)
}
