package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// Download copies a file from the machine to w. Its SHA-256 must be digest, in lower-case
// hexadecimal, which the machine reported before.
func (m *Machine) Download(ctx context.Context, path, digest string, w io.Writer) error {
	sum := sha256.New()
	done := make(chan error, 1)
	go func() { done <- m.comm.Download(path, contextWriter{ctx, io.MultiWriter(w, sum)}) }()
	var err error
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err = <-done:
	}
	if err != nil {
		return fmt.Errorf("download %s: %w", path, err)
	}
	if arrived := hex.EncodeToString(sum.Sum(nil)); arrived != digest {
		return fmt.Errorf("download %s: sha256:%s arrived, the machine has sha256:%s: the connection lost bytes", path, arrived, digest)
	}
	return nil
}

// contextWriter accepts nothing more once its context has ended.
type contextWriter struct {
	ctx context.Context
	io.Writer
}

func (w contextWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}
