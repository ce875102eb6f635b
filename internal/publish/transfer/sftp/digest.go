package sftp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/shell"
)

// outputLimit is more than sha256sum and a verbose login shell print, in bytes.
const outputLimit = 64 << 10

// sumLine matches what sha256sum prints about its standard input.
var sumLine = regexp.MustCompile(`(?m)^([0-9a-f]{64})  -\r?$`)

// remoteDigest returns the SHA-256 of the first size bytes of a file on the front-end:
// computed there if the account may run programs, otherwise here, by reading the file back.
// Nothing beyond those bytes counts, because a connection that was given up may still be
// writing there.
func (s *session) remoteDigest(path string, size int64, say func(string)) (string, error) {
	if sum, ok := parseSum(s.run(fmt.Sprintf("head -c %d <%s | sha256sum", size, shell.Quote(path)), sumTimeout(size))); ok {
		return sum, nil
	}
	file, err := s.Open(path)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	defer file.Close()
	say("the server runs no sha256sum for us: reading " + path + " back")
	sum, meter := sha256.New(), progress.Lines("read back", size, say)
	// The library splits one large read into many small concurrent ones.
	n, err := io.CopyBuffer(onlyWriter{sum}, meter.Reader(io.LimitReader(file, size)), make([]byte, 8<<20))
	if err != nil {
		return "", fmt.Errorf("read %s: %w", path, err)
	}
	if n < size {
		return "", fmt.Errorf("read %s: only %d of %d bytes are there", path, n, size)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// onlyWriter hides the other methods of a hash, so that io.CopyBuffer uses its buffer.
type onlyWriter struct{ io.Writer }

// sumTimeout is enough for a disk that reads 5 MB/s.
func sumTimeout(size int64) time.Duration {
	return time.Minute + time.Duration(size/5_000_000)*time.Second
}

// run returns the output of a command, as much as arrived. An SFTP-only account prints
// something else, or nothing.
func (s *session) run(command string, timeout time.Duration) string {
	channel, err := s.conn.NewSession()
	if err != nil {
		return ""
	}
	defer channel.Close()
	output, err := channel.StdoutPipe()
	if err != nil || channel.Start(command) != nil {
		return ""
	}
	timer := time.AfterFunc(timeout, func() { channel.Close() })
	defer timer.Stop()
	text, _ := io.ReadAll(io.LimitReader(output, outputLimit))
	return string(text)
}

func parseSum(output string) (string, bool) {
	found := sumLine.FindAllStringSubmatch(output, -1)
	if len(found) != 1 {
		return "", false
	}
	return found[0][1], true
}

// localDigest returns the SHA-256 of the first size bytes of a local file.
func localDigest(ctx context.Context, path string, size int64) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("compute digest: %w", err)
	}
	defer file.Close()
	sum := sha256.New()
	for left := size; left > 0; {
		n, err := io.CopyN(sum, file, min(left, 64<<20))
		if err != nil {
			return "", fmt.Errorf("compute digest of %s: %w", path, err)
		}
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		left -= n
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}
