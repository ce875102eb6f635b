package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/signature"
)

// PlaceImage puts the image of entry, size bytes at source, into the catalog: as a hard
// link if both are on the same file system, otherwise as a copy. No list names it yet.
func (c *Catalog) PlaceImage(ctx context.Context, entry Entry, source string, size int64, meter *progress.Meter) error {
	if err := c.makeDirs(imagesDir); err != nil {
		return err
	}
	target := c.ImagePath(entry)
	if info, err := os.Stat(target); err == nil && info.Size() == size {
		return nil // The name contains the id, which depends on the digest: it is the same image.
	}
	if err := place(ctx, source, target, size, meter); err != nil {
		return fmt.Errorf("bring the image %s to %s: %w", source, target, err)
	}
	c.changed = true
	// A listed image that was missing has only been restored, and stays.
	if !c.list.has(entry.ID.OID) {
		c.unlisted = append(c.unlisted, target)
	}
	return nil
}

// WriteApp writes the files served for entry alone, and the nginx site. No list names the
// entry yet.
func (c *Catalog) WriteApp(entry Entry) error {
	app := filepath.Join(c.dir, appsDir, entry.ID.OID)
	if err := c.makeDirs(appsDir, entry.ID.OID); err != nil {
		return err
	}
	if _, err := c.removeFrom(filepath.Join(appsDir, entry.ID.OID), isTemporary); err != nil {
		return fmt.Errorf("remove what an earlier run has left: %w", err)
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
	err = errors.Join(c.write(filepath.Join(app, appFile), content), c.write(c.SitePath(), site))
	if err != nil || entry.image() == "" {
		return err
	}
	if err := c.makeDirs(appsDir, entry.ID.OID, "download"); err != nil {
		return err
	}
	return c.symlink(filepath.Join(app, "download", "0"), filepath.Join("..", "..", "..", imagesDir, entry.image()))
}

// Options are optional steps of a publication.
type Options struct {
	// KeepVersions is how many versions of the app to keep for its architecture: the newest,
	// by their numbers, and the one being published in any case. 0 keeps all.
	KeepVersions int
	// SigningKey signs the digests. Without one they are not signed.
	SigningKey *signature.Key
}

// Publish replaces the list by one that includes the entries of one version, and then
// removes the files of entries that have left the list. Until then nobody can see the
// version.
func (c *Catalog) Publish(entries []Entry, options Options) error {
	next, gone, err := c.list.with(entries, options.KeepVersions)
	if err != nil {
		return fmt.Errorf("add the app to the list: %w", err)
	}
	e, err := newEdition(next, options.SigningKey)
	if err != nil {
		return fmt.Errorf("add the app to the list: %w", err)
	}
	if err := c.replaceList(e); err != nil {
		return err
	}
	c.list, c.unlisted = next, nil
	for _, e := range gone {
		c.say(fmt.Sprintf("%s (%s) is no longer in the list", e.name, e.id))
	}
	if err := c.removeUnlisted(); err != nil {
		return fmt.Errorf("the new list is in place, but what it no longer names is not all removed: %w", err)
	}
	return nil
}

// makeDirs creates each of a chain of directories in the catalog.
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

// write does not touch a file whose content is already right. The mode lets a web server
// read it.
func (c *Catalog) write(path string, content []byte) error {
	changed, err := atomicfile.WriteIfChanged(path, content, 0o644, nil)
	c.changed = c.changed || changed
	return err
}

func (c *Catalog) symlink(path, target string) error {
	if atomicfile.SameLink(target, path) {
		return nil
	}
	if !exists(path) {
		c.unlisted = append(c.unlisted, path)
	}
	c.changed = true
	return atomicfile.Link(target, path)
}
