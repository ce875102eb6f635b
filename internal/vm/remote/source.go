package remote

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"sync"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// source is the file being sent. An abandoned attempt may still read it while the next one
// does, hence the lock.
type source struct {
	content io.ReaderAt
	size    int64
	meter   *progress.Meter

	mu sync.Mutex
	// sum covers the first summed bytes: every attempt starts at or before their end.
	sum    hash.Hash
	summed int64
	err    error
}

func newSource(file File, meter *progress.Meter) *source {
	return &source{content: file.Content, size: file.Size, meter: meter, sum: sha256.New()}
}

// rest returns a reader from the offset to the end.
func (s *source) rest(offset int64) io.Reader {
	return &rest{s, offset, io.NewSectionReader(s.content, offset, s.size-offset)}
}

// digest returns the SHA-256, in hexadecimal, of what was read.
func (s *source) digest() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return hex.EncodeToString(s.sum.Sum(nil))
}

// seen returns how many bytes of the file have been read so far.
func (s *source) seen() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.summed
}

// readError is an error of this host, not of the connection.
type readError struct{ error }

// broken returns why the file could not be read, nil if it could. The error is recorded here
// because the connection does not pass it on.
func (s *source) broken() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		return nil
	}
	return &readError{s.err}
}

func (s *source) saw(piece []byte, at int64, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := at + int64(len(piece))
	if end > s.summed {
		s.sum.Write(piece[s.summed-at:])
		s.summed = end
	}
	s.meter.Set(end)
	switch {
	case errors.Is(err, io.EOF) && end < s.size:
		s.err = fmt.Errorf("the file on this host ended after %d of %d bytes: it is being changed", end, s.size)
	case err != nil && !errors.Is(err, io.EOF):
		s.err = err
	}
}

type rest struct {
	source *source
	at     int64
	reader io.Reader
}

func (r *rest) Read(p []byte) (int, error) {
	n, err := r.reader.Read(p)
	r.source.saw(p[:n], r.at, err)
	r.at += int64(n)
	return n, err
}
