package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// bufferSize is large enough to make the cost of system calls negligible compared to the hash.
const bufferSize = 1 << 20

// attempt makes one request for the missing bytes and stores what arrives.
func (f *Fetcher) attempt(ctx context.Context, p Payload, d *part) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watchdog := newWatchdog(f.stall, cancel)
	defer watchdog.stop()

	if !d.continues(p) {
		if err := d.restart(); err != nil {
			return err
		}
	}
	response, err := f.ask(ctx, p, d)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := p.refuse(response); err != nil {
		return err
	}
	if err := d.accept(p, response); err != nil {
		return err
	}
	if err := f.checkSpace(p, d); err != nil {
		return err
	}
	return f.receive(p, d, aliveReader{ctx, response.Body, watchdog.alive})
}

// ask requests the whole file or, if it is still the same file, the missing bytes of it.
func (f *Fetcher) ask(ctx context.Context, p Payload, d *part) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Source, nil)
	if err != nil {
		return nil, errors.New("must be a path or an http(s) URL")
	}
	if p.Token != "" {
		request.Header.Set("Authorization", "Bearer "+p.Token)
	}
	if d.here > 0 {
		request.Header.Set("Range", d.missing())
		if d.Validator != "" {
			request.Header.Set("If-Range", d.Validator)
		}
	}
	response, err := f.client.Do(request)
	if err != nil {
		return nil, p.failed(cause(ctx, err))
	}
	return response, nil
}

// receive writes the body to the part, and checks its length.
func (f *Fetcher) receive(p Payload, d *part, body io.Reader) error {
	meter := f.Meter("download "+p.base(), d.Size)
	meter.Start(d.here)
	if d.Size > 0 && d.Size < math.MaxInt64 {
		// The extra byte reveals a body that is too long; an endless one must not fill the
		// disk.
		body = io.LimitReader(body, d.Size-d.here+1)
	}
	room := &roomWriter{part: d, check: func() error { return f.checkSpace(p, d) }}
	_, err := io.CopyBuffer(room, meter.Reader(body), make([]byte, bufferSize))
	switch {
	case errors.As(err, new(noRoomError)):
		return err
	case isFull(err):
		return d.full(p, err)
	case err != nil:
		return fmt.Errorf("receive %s: %w", p.base(), err)
	case d.Size > 0 && d.here > d.Size:
		return errors.Join(fmt.Errorf("%s is longer than the %d bytes it should have", p.shown(), d.Size), d.restart())
	case d.Size > 0 && d.here < d.Size:
		return retry.Temporary(fmt.Errorf("receive %s: the server ended after %d of %d bytes", p.base(), d.here, d.Size))
	}
	meter.Finish()
	return nil
}

// cause returns why ctx ended or, if it has not, the error of the failed request.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return sourceuri.WithoutURL(err)
}

// aliveReader marks read errors as temporary, unlike write errors, and notifies the watchdog
// of every sign of life.
type aliveReader struct {
	ctx context.Context
	io.Reader
	alive func(bytes int)
}

func (r aliveReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	if n > 0 {
		r.alive(n)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = retry.Temporary(cause(r.ctx, err))
	}
	return n, err
}
