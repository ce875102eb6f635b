package remote

import (
	"context"
	"io"
	"time"
)

// input is read by a connection that may outlive the call that made it: after the call it
// returns no more data. Each read extends the deadline.
type input struct {
	ctx      context.Context
	reader   io.Reader
	deadline *time.Timer
	timeout  time.Duration
}

func (i *input) Read(p []byte) (int, error) {
	if err := i.ctx.Err(); err != nil {
		return 0, err
	}
	i.deadline.Reset(i.timeout)
	return i.reader.Read(p)
}
