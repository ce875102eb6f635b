package builder

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/checksums"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// publishedSum is the entry for one file in its publisher's checksum list.
type publishedSum struct {
	list string
	sums checksums.Sums
}

// listTimeout is ample for a text of some kilobytes.
const listTimeout = time.Minute

// readPublished downloads a publisher's checksum list and finds the entry for file.
func readPublished(ctx context.Context, list, file string) (publishedSum, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, listTimeout, fmt.Errorf("no answer within %s", listTimeout))
	defer cancel()
	text, err := get(ctx, list)
	if err != nil {
		return publishedSum{}, fmt.Errorf("base_image: read the digests of its publisher, %s: %w; "+
			"pin the image with base_image_checksum or a lock file to need no list", list, err)
	}
	sums, err := checksums.Find(text, file)
	if err != nil {
		return publishedSum{}, fmt.Errorf("base_image: %s: %w", list, err)
	}
	return publishedSum{list, sums}, nil
}

var publishers = http.Client{CheckRedirect: fetch.CheckRedirect}

func get(ctx context.Context, url string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	response, err := publishers.Do(request)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("the server answers %s", response.Status)
	}
	return checksums.Read(response.Body)
}

// pin returns the checksum to fetch the file with, or "" if the publisher lists no SHA-256.
func (p publishedSum) pin() string {
	if p.sums.SHA256 == "" {
		return ""
	}
	return digest.SHA256Prefix + p.sums.SHA256
}

// check verifies the SHA-512 of the file if the publisher lists no SHA-256, which is all
// that fetching can verify.
func (p publishedSum) check(ctx context.Context, path string, say func(string)) error {
	if p.sums.SHA256 != "" || p.sums.SHA512 == "" {
		return nil
	}
	sum := sha512.New()
	meter := progress.Lines("check "+filepath.Base(p.list), 0, say)
	if _, err := digest.Sum(ctx, path, meter, sum); err != nil {
		return fmt.Errorf("base_image: %w", err)
	}
	if actual := hex.EncodeToString(sum.Sum(nil)); actual != p.sums.SHA512 {
		return fmt.Errorf("base_image: what was downloaded has SHA-512 %s, its publisher says %s in %s: try again later, or choose a dated release",
			actual, p.sums.SHA512, p.list)
	}
	return nil
}
