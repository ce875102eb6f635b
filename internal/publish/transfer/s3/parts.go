package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

const (
	// concurrency is how many parts are uploaded at once: enough to fill a link on which a
	// single connection spends time waiting for responses.
	concurrency = 4
	// partSize splits 20 GB into 300 parts, and limits what a broken connection costs. S3
	// allows from 5 MiB to 5 GiB, and no more than maxParts parts.
	partSize = 64 << 20
	maxParts = 10000
	// stall is the longest time a part may make no progress.
	stall = 2 * time.Minute
)

var errStalled = errors.New("the store took nothing any more")

// parts sends the whole file, and returns the ETags the store assigned to the parts.
func (u *upload) parts(ctx context.Context, id string) ([]minio.CompletePart, error) {
	file, err := os.Open(u.file.Path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	size := max(u.partSize, (u.file.Size+maxParts-1)/maxParts)
	parts := make([]minio.CompletePart, max(1, (u.file.Size+size-1)/size))
	meter := progress.Lines("upload "+u.file.Name, u.file.Size, u.say)
	// The first part that fails cancels the others.
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	var next atomic.Int64
	var senders sync.WaitGroup
	for range concurrency {
		senders.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(parts)) && ctx.Err() == nil; i = next.Add(1) - 1 {
				section := io.NewSectionReader(file, i*size, min(size, u.file.Size-i*size))
				tag, err := u.part(ctx, id, int(i+1), section, meter)
				if err != nil {
					fail(err)
				}
				parts[i] = minio.CompletePart{PartNumber: int(i + 1), ETag: tag}
			}
		})
	}
	senders.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	meter.Finish()
	return parts, nil
}

// part sends one part, with a signed digest that lets the store verify that it is complete.
func (u *upload) part(ctx context.Context, id string, number int, section *io.SectionReader, meter *progress.Meter) (tag string, err error) {
	sum := sha256.New()
	if n, err := io.Copy(sum, section); err != nil || n != section.Size() {
		return "", errors.Join(err, fmt.Errorf("%s has become shorter meanwhile", u.file.Path))
	}
	options := minio.PutObjectPartOptions{Sha256Hex: hex.EncodeToString(sum.Sum(nil)), DisableContentSha256: true}
	what := fmt.Sprintf("part %d", number)
	err = u.persist(ctx, what, func(ctx context.Context) error {
		ctx, cancel := context.WithCancelCause(ctx)
		defer cancel(nil)
		watchdog := time.AfterFunc(u.stall, func() { cancel(errStalled) })
		defer watchdog.Stop()
		body := &counted{section: io.NewSectionReader(section, 0, section.Size()), meter: meter, alive: func() { watchdog.Reset(u.stall) }}
		sent, err := u.core.PutObjectPart(ctx, u.options.Bucket, u.key, id, number, body, section.Size(), options)
		if err != nil {
			meter.Add(-body.stop())
			if errors.Is(context.Cause(ctx), errStalled) {
				err = errStalled
			}
		}
		tag = sent.ETag
		return err
	})
	return tag, err
}

// counted counts what the network reads of a part.
type counted struct {
	section *io.SectionReader
	meter   *progress.Meter
	alive   func()

	mu sync.Mutex
	n  int64
	// stopped is set when the request has ended: its connection may still try to read.
	stopped bool
}

func (c *counted) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stopped {
		return 0, io.ErrClosedPipe
	}
	n, err := c.section.Read(p)
	c.n += int64(n)
	c.meter.Add(int64(n))
	c.alive()
	return n, err
}

// stop ends the reading and returns the final number of bytes read.
func (c *counted) stop() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopped = true
	return c.n
}
