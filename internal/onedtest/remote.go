package onedtest

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
)

// sniffed is how many bytes of a source are read to detect its type.
const sniffed = 64 << 10

// retries is the number of retries of the front-end's curl, which waits three seconds before
// each; here there is no wait.
const retries = 3

// curl does not verify certificates, like the front-end's curl.
var curl = &http.Client{Transport: &http.Transport{
	DisableCompression: true,
	TLSClientConfig:    &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // as the front-end does
}}

func ask(ctx context.Context, method, url string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	response, err := curl.Do(r)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		response.Body.Close()
		return nil, fmt.Errorf("curl: (22) The requested URL returned error: %d", response.StatusCode)
	}
	return response, nil
}

// sniff reads the first 64 KB and closes the connection.
func sniff(ctx context.Context, url string) (head []byte, err error) {
	for range 1 + retries {
		var response *http.Response
		if response, err = ask(ctx, http.MethodGet, url); err != nil {
			continue
		}
		defer response.Body.Close()
		// A source that is cut off afterwards has already sent its head.
		head, _ = io.ReadAll(io.LimitReader(response.Body, sniffed))
		return head, nil
	}
	return nil, err
}

// contentLength returns -1 if the source does not state it.
func contentLength(ctx context.Context, url string) int64 {
	response, err := ask(ctx, http.MethodHead, url)
	if err != nil {
		return -1
	}
	response.Body.Close()
	return response.ContentLength
}

// openRemote returns the whole source. The front-end first inspects it through a pipe that it
// closes early, which curl treats as an error: so curl retries three times before the actual
// transfer.
func openRemote(ctx context.Context, url string) (io.ReadCloser, error) {
	for range 1 + retries {
		if _, err := sniff(ctx, url); err != nil {
			return nil, err
		}
	}
	response, err := ask(ctx, http.MethodGet, url)
	if err != nil {
		return nil, err
	}
	return response.Body, nil
}
