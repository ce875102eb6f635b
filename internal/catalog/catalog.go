package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// Names below the directory.
const (
	listFile  = "appliances.json"
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
	lock *lockFile
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
	lock, err := acquire(ctx, filepath.Join(dir, lockName), say)
	if err != nil {
		return nil, err
	}
	c := &Catalog{dir: dir, base: base, lock: lock}
	c.list, err = readList(c.ListPath())
	if err == nil {
		err = c.sweep()
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

// sweep removes the half copies of runs that were killed: as large as an image, and
// under names that no later run uses again.
func (c *Catalog) sweep() error {
	images, err := os.ReadDir(filepath.Join(c.dir, imagesDir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("look for half copies of earlier runs: %w", err)
	}
	for _, image := range images {
		if !strings.HasSuffix(image.Name(), partial) {
			continue
		}
		if err := os.Remove(filepath.Join(c.dir, imagesDir, image.Name())); err != nil {
			return fmt.Errorf("remove a half copy of an earlier run: %w", err)
		}
	}
	return nil
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

// SitePath is the nginx site.
func (c *Catalog) SitePath() string { return filepath.Join(c.dir, siteFile) }

// ImagePath is where the image of entry lies.
func (c *Catalog) ImagePath(entry Entry) string {
	return filepath.Join(c.dir, imagesDir, filepath.Base(entry.Files[0].URL))
}

// Changed tells whether this run has changed anything.
func (c *Catalog) Changed() bool { return c.changed }

// PlaceImage brings the image at source, of size bytes, to its place: as a hard link on
// the same file system, else as a copy. Nothing lists it yet.
func (c *Catalog) PlaceImage(ctx context.Context, entry Entry, source string, size int64, meter *progress.Meter) error {
	if err := c.makeDirs(imagesDir); err != nil {
		return err
	}
	target := c.ImagePath(entry)
	if info, err := os.Stat(target); err == nil && info.Size() == size {
		return nil // Its name holds the id, and that the digest: it is the same image.
	}
	if err := place(ctx, source, target, size, meter); err != nil {
		return fmt.Errorf("bring the image %s to %s: %w", source, target, err)
	}
	c.changed = true
	// A listed image that was missing has only been repaired, and stays.
	if !c.list.has(entry.ID.OID) {
		c.unlisted = append(c.unlisted, target)
	}
	return nil
}

// WriteApp writes what is served for entry alone, and the nginx site. Nothing lists the
// entry yet.
func (c *Catalog) WriteApp(entry Entry) error {
	app := filepath.Join(appsDir, entry.ID.OID)
	if err := c.makeDirs(appsDir, entry.ID.OID, "download"); err != nil {
		return err
	}
	if !exists(c.SitePath()) {
		c.unlisted = append(c.unlisted, c.SitePath())
	}
	content, err := indented(entry)
	if err != nil {
		return fmt.Errorf("write the app: %w", err)
	}
	site, err := renderSite(c.dir, c.base)
	if err != nil {
		return err
	}
	image := filepath.Join("..", "..", "..", imagesDir, filepath.Base(c.ImagePath(entry)))
	return errors.Join(
		c.write(filepath.Join(c.dir, app, appFile), content),
		c.symlink(filepath.Join(c.dir, app, "download", "0"), image),
		c.write(c.SitePath(), site),
	)
}

// Publish replaces the list by one with entry in it, and then removes the files of the
// entries it has replaced. Before it nobody sees anything of the entry.
func (c *Catalog) Publish(entry Entry) error {
	next, replaced, err := c.list.with(entry)
	if err != nil {
		return fmt.Errorf("add the app to the list: %w", err)
	}
	content, err := next.content()
	if err != nil {
		return fmt.Errorf("add the app to the list: %w", err)
	}
	if err := c.write(c.ListPath(), content); err != nil {
		return err
	}
	c.list, c.unlisted = next, nil
	for _, id := range replaced {
		if err := c.remove(id); err != nil {
			return fmt.Errorf("the new list is in place, but the files of the image it replaced are not all removed: %w", err)
		}
	}
	return nil
}

// remove deletes the files of an entry that is no longer listed.
func (c *Catalog) remove(id string) error {
	app := filepath.Join(c.dir, appsDir, id)
	image, err := os.Readlink(filepath.Join(app, "download", "0"))
	if errors.Is(err, os.ErrNotExist) {
		return os.RemoveAll(app)
	}
	if err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(app), removeIfThere(filepath.Join(c.dir, imagesDir, filepath.Base(image))))
}

// Close gives the directory free for other runs. What was made and never listed is
// removed first, and the directory too if nothing is left in it.
func (c *Catalog) Close() error {
	var errs []error
	for _, path := range c.unlisted {
		errs = append(errs, os.RemoveAll(path))
	}
	errs = append(errs, c.lock.release())
	if !exists(c.ListPath()) {
		_ = os.Remove(c.dir) // Fails, as it should, if anything is in it.
	}
	return errors.Join(errs...)
}

// makeDirs makes each of a chain of directories below the catalog's.
func (c *Catalog) makeDirs(chain ...string) error {
	dir := c.dir
	for _, name := range chain {
		dir = filepath.Join(dir, name)
		if exists(dir) {
			continue
		}
		if err := makeDir(dir); err != nil {
			return err
		}
		c.unlisted = append(c.unlisted, dir)
	}
	return nil
}

// write leaves a file that is right already untouched. The mode is a web server's.
func (c *Catalog) write(path string, content []byte) error {
	changed, err := atomicfile.WriteIfChanged(path, content, 0o644, nil)
	c.changed = c.changed || changed
	return err
}

func (c *Catalog) symlink(path, target string) error {
	if atomicfile.SameLink(target, path) {
		return nil
	}
	c.changed = true
	return atomicfile.Link(target, path)
}
