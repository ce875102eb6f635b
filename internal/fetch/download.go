package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

const attempts = 3

// temporaryError marks what another attempt may mend: a cut connection, a busy server.
type temporaryError struct{ error }

func (e temporaryError) Unwrap() error { return e.error }

// download puts the payload at path, or nothing.
func (f *Fetcher) download(ctx context.Context, p Payload, path string) error {
	pause := f.pause
	for attempt := 1; ; attempt++ {
		err := f.attempt(ctx, p, path)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("download of %s stopped: %w", p.shown(), ctx.Err())
		}
		if !errors.As(err, new(temporaryError)) {
			return err
		}
		if attempt == attempts {
			return fmt.Errorf("download of %s failed %d times, at last: %w", p.shown(), attempts, err)
		}
		f.say(fmt.Sprintf("%s: attempt %d of %d failed: %v; trying again in %s", p.Field, attempt, attempts, err, pause))
		if err := sleep(ctx, pause); err != nil {
			return fmt.Errorf("download of %s stopped: %w", p.shown(), err)
		}
		pause *= 2
	}
}

// attempt downloads beside path and renames at the end. The file need not be synced to
// disk: every use reads and verifies it again.
func (f *Fetcher) attempt(ctx context.Context, p Payload, path string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := time.AfterFunc(f.stall, func() {
		cancel(fmt.Errorf("the server sent nothing for %s", f.stall))
	})
	defer watchdog.Stop()

	body, size, err := f.open(ctx, p)
	if err != nil {
		return err
	}
	defer body.Close()
	part := path + ".part"
	file, err := os.Create(part)
	if err != nil {
		return err
	}
	defer os.Remove(part)
	defer file.Close()

	meter := progress.Lines("download "+p.base(), size, f.say)
	sum := sha256.New()
	alive := aliveReader{ctx, meter.Reader(body), func() { watchdog.Reset(f.stall) }}
	if _, err := io.Copy(io.MultiWriter(file, sum), alive); err != nil {
		return fmt.Errorf("receive %s: %w", p.base(), err)
	}
	if actual := hex.EncodeToString(sum.Sum(nil)); actual != p.digest() {
		return p.wrongChecksum(actual)
	}
	if err := file.Close(); err != nil {
		return err
	}
	meter.Finish()
	return os.Rename(part, path)
}

// open asks for the payload and refuses every answer that cannot be it.
func (f *Fetcher) open(ctx context.Context, p Payload) (io.ReadCloser, int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Source, nil)
	if err != nil {
		return nil, 0, errors.New("must be a path or an http(s) URL")
	}
	response, err := f.client.Do(request)
	if err != nil {
		return nil, 0, temporaryError{withoutURL(ctx, err)}
	}
	if err := p.refuse(response); err != nil {
		response.Body.Close()
		return nil, 0, err
	}
	return response.Body, max(response.ContentLength, 0), nil
}

func (p Payload) refuse(response *http.Response) error {
	switch code := response.StatusCode; {
	case code >= 500, code == http.StatusTooManyRequests, code == http.StatusRequestTimeout:
		return temporaryError{fmt.Errorf("the server answered %s", response.Status)}
	case code != http.StatusOK:
		return fmt.Errorf("%s: the server answered %s: check the URL, and whether it wants a login",
			p.shown(), response.Status)
	}
	if kind, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); kind == "text/html" {
		return fmt.Errorf("%s: the server answered with a web page, not with the file: use the direct download URL",
			p.shown())
	}
	return nil
}

// withoutURL keeps the cause of a failed request; its text would repeat the whole URL.
func withoutURL(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

// aliveReader marks failures to read as temporary, unlike failures to write, and tells
// the watchdog about every sign of life.
type aliveReader struct {
	ctx context.Context
	io.Reader
	alive func()
}

func (r aliveReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 {
		r.alive()
	}
	if err != nil && err != io.EOF {
		err = temporaryError{withoutURL(r.ctx, err)}
	}
	return n, err
}
