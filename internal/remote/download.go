package remote

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"
)

// Download copies a file of the machine to w and verifies it by the machine's own digest.
func (m *Machine) Download(ctx context.Context, path string, w io.Writer) error {
	there := Script{Text: `sha256sum <"$FILE"`, Env: Env{"FILE": path}, Timeout: time.Hour}
	text, err := m.Run(ctx, there)
	if err != nil {
		return fmt.Errorf("read %s on the machine: %w", path, err)
	}
	sum := sha256.New()
	done := make(chan error, 1)
	go func() { done <- m.comm.Download(path, contextWriter{ctx, io.MultiWriter(w, sum)}) }()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err = <-done:
	}
	if err != nil {
		return fmt.Errorf("download %s: %w", path, err)
	}
	if arrived := hex.EncodeToString(sum.Sum(nil)); !strings.HasPrefix(text, arrived) {
		return fmt.Errorf("download %s: sha256:%s arrived, the machine has sha256:%.64s: the connection lost bytes", path, arrived, text)
	}
	return nil
}

// contextWriter takes nothing more once its context has ended.
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
