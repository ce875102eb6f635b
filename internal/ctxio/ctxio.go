// Package ctxio ends long copies with their context.
package ctxio

import (
	"context"
	"io"
)

// Reader reads from r until ctx ends, whose cause is the error then.
func Reader(ctx context.Context, r io.Reader) io.Reader { return reader{ctx, r} }

type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}
