package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/filelock"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/signature"
)

// Names relative to the catalog's directory.
const (
	listFile  = "appliances.json"
	sumsFile  = "SHA256SUMS"
	signFile  = sumsFile + signature.Suffix
	listsDir  = "lists"
	current   = listsDir + "/current"
	appsDir   = "appliance"
	appFile   = "app.json"
	imagesDir = "images"
	siteFile  = "nginx.conf"
	lockName  = ".lock"
)

// Catalog is a directory that only this run may change, from Open to Close.
type Catalog struct {
	dir  string
	base BaseURL
	say  func(string)
	lock *filelock.Lock
	list list
	// unlisted are the paths this run created that no list names yet, oldest first.
	unlisted []string
	changed  bool
}

// Open creates the directory if it does not exist, waits until no other run uses it, and
// reads its list. A list that cannot be parsed is an error.
func Open(ctx context.Context, directory string, base BaseURL, say func(string)) (*Catalog, error) {
	dir, err := filepath.Abs(directory)
	if err != nil {
		return nil, fmt.Errorf("find the catalog %s: %w", directory, err)
	}
	// A relative path may pass the check although its absolute form does not.
	if err := CheckDirectory(dir); err != nil {
		return nil, fmt.Errorf("catalog %s: %w", dir, err)
	}
	lock, err := acquire(ctx, dir, say)
	if err != nil {
		return nil, err
	}
	c := &Catalog{dir: dir, base: base, say: say, lock: lock}
	c.list, err = readList(c.ListPath())
	if err == nil {
		err = c.sweep()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func readList(path string) (list, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return list{}, nil
	}
	if err != nil {
		return list{}, fmt.Errorf("read the list of the catalog: %w", err)
	}
	l, err := parseList(content)
	if err != nil {
		return list{}, fmt.Errorf("the list %s is damaged and is left as it is; repair it, or move it away to begin a new one: %w", path, err)
	}
	return l, nil
}

// Directory returns the absolute path of the catalog.
func (c *Catalog) Directory() string { return c.dir }

// ListPath returns the path of the file with all entries.
func (c *Catalog) ListPath() string { return filepath.Join(c.dir, listFile) }

// SumsPath returns the path of the digests. Their signature lies beside it, if a key was
// given.
func (c *Catalog) SumsPath() string { return filepath.Join(c.dir, sumsFile) }

// SitePath returns the path of the nginx site.
func (c *Catalog) SitePath() string { return filepath.Join(c.dir, siteFile) }

// ImagePath returns the path of the image of entry, empty if it has none.
func (c *Catalog) ImagePath(entry Entry) string {
	if entry.image() == "" {
		return ""
	}
	return filepath.Join(c.dir, imagesDir, entry.image())
}

// Changed reports whether this run has changed anything.
func (c *Catalog) Changed() bool { return c.changed }

// Close releases the directory for other runs. Files that were created but never listed are
// removed first, and so is the directory if nothing is left in it.
func (c *Catalog) Close() error {
	var errs []error
	for _, path := range c.unlisted {
		errs = append(errs, os.RemoveAll(path))
	}
	errs = append(errs, c.lock.Release())
	if !exists(c.ListPath()) {
		_ = os.Remove(c.dir) // Fails, as it should, if anything is in it.
	}
	return errors.Join(errs...)
}
