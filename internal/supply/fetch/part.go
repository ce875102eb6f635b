package fetch

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/ctxio"
)

// part is an incomplete download. What is written to it is hashed on the way.
type part struct {
	origin
	path string
	file *os.File
	sum  hash.Hash
	// here is how many bytes have been written and hashed.
	here int64
	// resumed is set if the bytes did not all come in one response.
	resumed bool
}

// openPart reuses what an earlier attempt left if it can be trusted, and hashes it again so
// that the digest covers it.
func (f *Fetcher) openPart(ctx context.Context, p Payload) (*part, error) {
	path := filepath.Join(f.cacheDir, p.name()+".part")
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	d := &part{path: path, file: file, sum: sha256.New()}
	from, known := readOrigin(d.originPath())
	if !known || !from.continues(p) {
		return d, d.restart()
	}
	d.origin = from
	if err := f.readAgain(ctx, p, d); err != nil {
		d.close(p)
		return nil, err
	}
	if d.Size > 0 && d.here > d.Size {
		return d, d.restart()
	}
	d.resumed = d.here > 0
	return d, nil
}

func (f *Fetcher) readAgain(ctx context.Context, p Payload, d *part) error {
	info, err := d.file.Stat()
	if err != nil || info.Size() == 0 {
		return err
	}
	meter := f.Meter("check what is here of "+p.base(), info.Size())
	d.here, err = io.CopyBuffer(d.sum, ctxio.Reader(ctx, meter.Reader(d.file)), make([]byte, bufferSize))
	if err != nil {
		return fmt.Errorf("read %s: %w", d.path, err)
	}
	meter.Finish()
	return nil
}

func (d *part) originPath() string { return d.path + ".json" }

// restart discards the existing bytes.
func (d *part) restart() error {
	d.origin, d.here, d.resumed = origin{}, 0, false
	d.sum.Reset()
	// In this order, a process that is killed in between leaves nothing that could be mistaken
	// for the beginning of another file.
	if err := atomicfile.RemoveIfThere(d.originPath()); err != nil {
		return err
	}
	if info, err := d.file.Stat(); err == nil && info.Size() > 0 {
		if err := d.file.Truncate(0); err != nil {
			return err
		}
	}
	_, err := d.file.Seek(0, io.SeekStart)
	return err
}

// begin records from as the origin of the file, to be received from its first byte.
func (d *part) begin(from origin) error {
	if err := d.restart(); err != nil {
		return err
	}
	d.origin = from
	return from.write(d.originPath())
}

func (d *part) Write(b []byte) (int, error) {
	n, err := d.file.Write(b)
	d.sum.Write(b[:n])
	d.here += int64(n)
	return n, err
}

// complete reports whether all bytes are here, as far as the size is known.
func (d *part) complete() bool { return d.Size > 0 && d.here == d.Size }

// missing returns a Range header for the missing bytes. It includes the end if that is known:
// some registries accept no other form.
func (d *part) missing() string {
	if d.Size == 0 {
		return fmt.Sprintf("bytes=%d-", d.here)
	}
	return fmt.Sprintf("bytes=%d-%d", d.here, d.Size-1)
}

func (d *part) digest() string { return hex.EncodeToString(d.sum.Sum(nil)) }

// close keeps what can be resumed. A second call does nothing.
func (d *part) close(p Payload) {
	if d.file.Close() == nil && (d.here == 0 || !d.continues(p)) {
		d.remove()
	}
}

func (d *part) remove() {
	os.Remove(d.originPath())
	os.Remove(d.path)
}

// keep renames the complete file to its final name. No sync is needed: every use reads and
// verifies the file again.
func (d *part) keep() (File, error) {
	file := File{Path: filepath.Join(filepath.Dir(d.path), d.digest()), SHA256: d.digest(), Size: d.here}
	if err := d.file.Close(); err != nil {
		return File{}, err
	}
	if err := os.Rename(d.path, file.Path); err != nil {
		return File{}, err
	}
	return file, atomicfile.RemoveIfThere(d.originPath())
}
