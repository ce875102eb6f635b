// Package digest computes the size and the digests of a file in a single pass.
package digest

import (
	"context"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"sync"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// Digests are the size of a file in bytes and its digests in lower-case hexadecimal. MD5 and
// SHA-1 are not for security: marketplaces and Packer users ask for them.
type Digests struct {
	Size   int64
	MD5    string
	SHA1   string
	SHA256 string
}

// File reads the file at path once and computes all digests.
func File(ctx context.Context, path string, meter *progress.Meter) (Digests, error) {
	md5sum, sha1sum, sha256sum := md5.New(), sha1.New(), sha256.New()
	size, err := Sum(ctx, path, meter, md5sum, sha1sum, sha256sum)
	if err != nil {
		return Digests{}, err
	}
	return Digests{
		Size:   size,
		MD5:    hex.EncodeToString(md5sum.Sum(nil)),
		SHA1:   hex.EncodeToString(sha1sum.Sum(nil)),
		SHA256: hex.EncodeToString(sha256sum.Sum(nil)),
	}, nil
}

// Sum feeds the file at path to every hash and returns its size in bytes. Each hash has a
// goroutine of its own, concurrent with the reading.
func Sum(ctx context.Context, path string, meter *progress.Meter, hashes ...hash.Hash) (int64, error) {
	file, err := os.Open(path)
	if err != nil {
		return 0, fmt.Errorf("compute digest: %w", err)
	}
	defer file.Close()
	size, err := feed(ctx, meter.Reader(file), hashes)
	if err != nil {
		return 0, fmt.Errorf("compute digest of %s: %w", path, err)
	}
	return size, nil
}

const (
	// blockSize is large enough to make the cost of passing blocks between goroutines
	// negligible.
	blockSize = 1 << 20
	// blocks is how many are in flight at once: one being read, the others being hashed, so
	// that a fast hash may run ahead of a slow one.
	blocks = 4
)

// block is a piece of the file that all hashes read concurrently.
type block struct {
	data   []byte
	length int
	users  sync.WaitGroup
}

// feed reads all of r. Blocks are reused in turn, each once every hash has processed it.
func feed(ctx context.Context, r io.Reader, hashes []hash.Hash) (size int64, err error) {
	queues, workers := start(hashes)
	defer func() {
		for _, queue := range queues {
			close(queue)
		}
		workers.Wait()
	}()

	var ring [blocks]block
	for i := 0; ; i++ {
		b := &ring[i%blocks]
		b.users.Wait()
		if err := ctx.Err(); err != nil {
			return size, context.Cause(ctx)
		}
		if b.data == nil {
			b.data = make([]byte, blockSize)
		}
		b.length, err = io.ReadFull(r, b.data)
		size += int64(b.length)
		b.users.Add(len(queues))
		for _, queue := range queues {
			queue <- b
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return size, nil
		case err != nil:
			return size, err
		}
	}
}

// start creates a goroutine and a queue for every hash.
func start(hashes []hash.Hash) ([]chan *block, *sync.WaitGroup) {
	var workers sync.WaitGroup
	queues := make([]chan *block, len(hashes))
	for i, h := range hashes {
		queue := make(chan *block, blocks)
		queues[i] = queue
		workers.Go(func() {
			for b := range queue {
				// A hash never returns an error (package hash).
				_, _ = h.Write(b.data[:b.length])
				b.users.Done()
			}
		})
	}
	return queues, &workers
}
