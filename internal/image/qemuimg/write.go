package qemuimg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// maxCoroutines is the maximum that qemu-img convert accepts for -m.
const maxCoroutines = 16

// partialSuffix marks a file that is not complete yet.
const partialSuffix = ".partial"

// CreateOverlay creates an image that contains only what differs from backing, which must be
// standalone. It refuses to replace a file.
func CreateOverlay(ctx context.Context, backing, overlay string) error {
	if _, err := InspectStandalone(backing); err != nil {
		return fmt.Errorf("create overlay: %w", err)
	}
	from, err := plain(backing)
	if err != nil {
		return err
	}
	to, err := claim(overlay)
	if err != nil {
		return fmt.Errorf("create overlay: %w", err)
	}
	if err := run(ctx, nil, "create", "-q", "-f", Format, "-F", Format, "-b", from, to); err != nil {
		return errors.Join(fmt.Errorf("create overlay %s of %s: %w", overlay, backing, err), os.Remove(to))
	}
	return nil
}

// Compact writes the disk in the QCOW2 image source, including its backing files, to one image
// with zstd-compressed clusters, using all cores. The source must be ours: it may refer to
// other files. Free space takes no room in the target, which appears complete or not at all.
func Compact(ctx context.Context, source, target string, say func(string)) error {
	info, err := Inspect(source)
	if err != nil {
		return err
	}
	if err := check(ctx, source); err != nil {
		return err
	}
	from, to, err := plainPair(source, target)
	if err != nil {
		return err
	}
	meter := progress.Lines("compact "+filepath.Base(target), info.VirtualSize, say)
	if err := convert(ctx, meter, info.VirtualSize, compactArgs(from, to+partialSuffix), to); err != nil {
		return fmt.Errorf("compact %s into %s: %w", source, target, err)
	}
	return nil
}

// plainPair makes both names safe for qemu-img.
func plainPair(source, target string) (from, to string, err error) {
	if from, err = plain(source); err != nil {
		return "", "", err
	}
	to, err = plain(target)
	return from, to, err
}

// convert runs qemu-img with args, which write target+partialSuffix, and renames that to
// target when it is complete.
func convert(ctx context.Context, meter *progress.Meter, virtualSize int64, args []string, target string) error {
	err := run(ctx, newPercent(meter, virtualSize), args...)
	if err == nil {
		err = os.Rename(target+partialSuffix, target)
	}
	if err != nil {
		return errors.Join(err, removed(target+partialSuffix))
	}
	meter.Finish()
	return nil
}

// FromRaw converts a raw disk to a sparse QCOW2 image. The same disk always gives the same
// bytes. Target appears complete or not at all.
func FromRaw(ctx context.Context, source, target string, say func(string)) error {
	status, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	from, to, err := plainPair(source, target)
	if err != nil {
		return err
	}
	meter := progress.Lines("write "+filepath.Base(target), status.Size(), say)
	args := []string{"convert", "-p", "-f", "raw", "-O", Format, from, to + partialSuffix}
	if err := convert(ctx, meter, status.Size(), args, to); err != nil {
		return fmt.Errorf("write %s: %w", target, err)
	}
	return nil
}

// coroutines returns the value of -m: enough to keep all cores busy.
func coroutines() string {
	return strconv.Itoa(min(max(runtime.NumCPU(), 2)*2, maxCoroutines))
}

// compactArgs allows out-of-order writes (-W): in order, clusters would be compressed one
// after the other on a single core.
func compactArgs(from, to string) []string {
	return []string{
		"convert", "-p", "-f", Format, "-O", Format, "-c", "-o", "compression_type=zstd",
		"-m", coroutines(), "-W", from, to,
	}
}

// claim creates path, so that two builds can never use the same one.
func claim(path string) (string, error) {
	absolute, err := plain(path)
	if err != nil {
		return "", err
	}
	file, err := os.OpenFile(absolute, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return "", err
	}
	return absolute, file.Close()
}

func removed(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// percentPattern matches one progress report of "qemu-img convert -p", as in "
// (12.34/100%)\r".
var percentPattern = regexp.MustCompile(`\((\d{1,3}\.\d\d)/100%\)`)

// percent converts progress reports of qemu-img to bytes on a meter.
type percent struct {
	meter *progress.Meter
	total int64
	// rest is the beginning of an incomplete report.
	rest []byte
}

func newPercent(meter *progress.Meter, total int64) io.Writer {
	return &percent{meter: meter, total: total}
}

// longestReport limits, in bytes, what is kept between two writes.
const longestReport = 32

func (p *percent) Write(output []byte) (int, error) {
	text := slices.Concat(p.rest, output)
	if found := percentPattern.FindAllSubmatchIndex(text, -1); found != nil {
		last := found[len(found)-1]
		if share, err := strconv.ParseFloat(string(text[last[2]:last[3]]), 64); err == nil {
			p.meter.Set(int64(share / 100 * float64(p.total)))
		}
		text = text[last[1]:]
	}
	p.rest = append([]byte(nil), text[max(0, len(text)-longestReport):]...)
	return len(output), nil
}
