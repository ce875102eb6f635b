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

// Names below the directory.
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

// Catalog is a directory this run alone may change, from Open to Close.
type Catalog struct {
	dir  string
	base BaseURL
	say  func(string)
	lock *filelock.Lock
	list list
	// unlisted is what this run made and no list names yet, in order.
	unlisted []string
	changed  bool
}

// Open makes the directory if it is not there, waits until no other run works on it, and
// reads its list. A list that cannot be understood is an error.
func Open(ctx context.Context, directory string, base BaseURL, say func(string)) (*Catalog, error) {
	dir, err := filepath.Abs(directory)
	if err != nil {
		return nil, fmt.Errorf("find the catalog %s: %w", directory, err)
	}
	// A relative path that passed the check can be absolute in a place that does not.
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

// Directory is the absolute path of the catalog.
func (c *Catalog) Directory() string { return c.dir }

// ListPath is the file with all entries.
func (c *Catalog) ListPath() string { return filepath.Join(c.dir, listFile) }

// SumsPath is the file of digests. A signature lies beside it, if a key was given.
func (c *Catalog) SumsPath() string { return filepath.Join(c.dir, sumsFile) }

// SitePath is the nginx site.
func (c *Catalog) SitePath() string { return filepath.Join(c.dir, siteFile) }

// ImagePath is where the image of entry lies, empty if it has none.
func (c *Catalog) ImagePath(entry Entry) string {
	if entry.image() == "" {
		return ""
	}
	return filepath.Join(c.dir, imagesDir, entry.image())
}

// Changed tells whether this run has changed anything.
func (c *Catalog) Changed() bool { return c.changed }

// Close gives the directory free for other runs. What was made and never listed is
// removed first, and the directory too if nothing is left in it.
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
