package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/minio/minio-go/v7"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

const (
	// callTimeout is for a request that carries no file content.
	callTimeout = 2 * time.Minute
	// abortTimeout is for cleaning up after everything else has ended.
	abortTimeout = 30 * time.Second
	// validity is how long the signed URL works. A front-end makes seven requests for one
	// image, and a store checks the time only when each request begins: so the period need not
	// cover the copy itself, but a front-end that copies other images first.
	validity = 24 * time.Hour
	// digestKey is the metadata key x-amz-meta-sha256, as the library spells it.
	digestKey = "Sha256"
)

// Method uploads images to a bucket.
type Method struct {
	options Options
	retries retry.Policy
	// partSize is in bytes; stall is the longest time a part may make no progress.
	partSize int64
	stall    time.Duration

	core      *minio.Core
	transport *http.Transport
}

var _ transfer.Method = (*Method)(nil)

// New returns a Method for options without mistakes. It does not connect yet.
func New(options Options) *Method {
	return &Method{
		options:  options,
		retries:  retries,
		partSize: partSize, stall: stall,
	}
}

func (m *Method) connect() error {
	if m.core != nil {
		return nil
	}
	var err error
	m.core, m.transport, err = m.options.connect()
	return err
}

// Check starts an upload and aborts it: that needs the endpoint, the bucket and the keys, and
// leaves nothing behind.
func (m *Method) Check(ctx context.Context, files []transfer.File) error {
	if err := m.connect(); err != nil || len(files) == 0 {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	key := m.options.key(files[0])
	id, err := m.core.NewMultipartUpload(limited, m.options.Bucket, key, minio.PutObjectOptions{})
	if err == nil {
		err = m.core.AbortMultipartUpload(limited, m.options.Bucket, key, id)
	}
	return m.failed(ctx, "begin an upload to "+m.options.shown(files[0]), err)
}

// Local returns nothing: the front-end downloads the object.
func (m *Method) Local(transfer.File) string { return "" }

// Remove deletes the object, and the parts of unfinished uploads.
func (m *Method) Remove(ctx context.Context, file transfer.File) error {
	if err := m.connect(); err != nil {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	err := m.core.RemoveObject(limited, m.options.Bucket, m.options.key(file), minio.RemoveObjectOptions{})
	if answer := minio.ToErrorResponse(err); answer.Code == "NoSuchKey" {
		err = nil
	}
	err = errors.Join(err, m.core.RemoveIncompleteUpload(limited, m.options.Bucket, m.options.key(file)))
	return m.failed(ctx, "delete "+m.options.shown(file), err)
}

// Close closes idle connections.
func (m *Method) Close() error {
	if m.transport != nil {
		m.transport.CloseIdleConnections()
	}
	return nil
}

// failed explains an error; if ctx ended, it gives the reason for that instead.
func (m *Method) failed(ctx context.Context, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	return fmt.Errorf("%s: %w", what, m.options.explain(err))
}
