package s3

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// connect creates a client. Nothing is sent yet.
func (o Options) connect() (*minio.Core, *http.Transport, error) {
	endpoint, err := url.Parse(o.Endpoint)
	if err != nil {
		return nil, nil, errors.New("the endpoint is not a URL")
	}
	transport, err := o.transport()
	if err != nil {
		return nil, nil, err
	}
	core, err := minio.NewCore(endpoint.Host, &minio.Options{
		Creds:     credentials.NewStaticV4(o.AccessKey, o.SecretKey, o.SessionToken),
		Secure:    endpoint.Scheme == "https",
		Region:    o.Region,
		Transport: plainEnd{transport},
		// Our own retries are logged, and last longer.
		MaxRetries: 1,
	})
	if err != nil {
		return nil, nil, fmt.Errorf("use the endpoint %s: %w", o.Endpoint, err)
	}
	return core, transport, nil
}

func (o Options) transport() (*http.Transport, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Concurrent parts need connections of their own; HTTP/2 would multiplex them over one.
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(true)
	transport.MaxIdleConnsPerHost = concurrency
	transport.WriteBufferSize = 256 << 10
	transport.DisableCompression = true
	if o.CAFile == "" {
		return transport, nil
	}
	content, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificates of authorities: %w", err)
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("read the certificates of authorities: %s holds no PEM certificate", o.CAFile)
	}
	transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	return transport, nil
}

// plainEnd replaces the error of a dropped connection before the library wraps it: the
// library's text contains the whole URL.
type plainEnd struct{ http.RoundTripper }

func (p plainEnd) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := p.RoundTripper.RoundTrip(request)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = errors.New("the server closed the connection")
	}
	return response, err
}
