package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/signature"
)

// edition is a list with its digests and their signature, keyed by file name: the files
// that are replaced together.
type edition map[string][]byte

func newEdition(l list, key *signature.Key) (edition, error) {
	content, err := l.content()
	if err != nil {
		return nil, err
	}
	e := edition{listFile: content, sumsFile: l.sums(content)}
	if key != nil {
		e[signFile] = key.Sign(sumsFile, e[sumsFile], time.Unix(l.newest(), 0))
	}
	return e, nil
}

// name is derived from the content of all files in the edition, so two editions never share
// one.
func (e edition) name() string {
	sum := sha256.New()
	for _, file := range editionFiles {
		fmt.Fprintf(sum, "%s %d\n%s", file, len(e[file]), e[file])
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// editionFiles are the names of the links to an edition in the catalog's directory.
var editionFiles = []string{signFile, sumsFile, listFile}

// replaceList replaces the current edition. Everything is synced to disk before the one
// link through which all its files are reached is replaced.
func (c *Catalog) replaceList(e edition) error {
	if err := c.adopt(); err != nil {
		return err
	}
	if err := c.writeEdition(e); err != nil {
		return err
	}
	for _, file := range editionFiles {
		if _, ok := e[file]; !ok {
			continue
		}
		if err := c.symlink(filepath.Join(c.dir, file), filepath.Join(current, file)); err != nil {
			return err
		}
	}
	err := c.symlink(filepath.Join(c.dir, current), e.name())
	// Also after a failure: the link may be in place although syncing it failed.
	if atomicfile.SameLink(e.name(), filepath.Join(c.dir, current)) {
		c.unlisted = nil
	}
	if err != nil {
		return err
	}
	return c.dropSignature(e)
}

func (c *Catalog) writeEdition(e edition) error {
	if err := c.makeDirs(listsDir, e.name()); err != nil {
		return err
	}
	for file, content := range e {
		if err := c.write(filepath.Join(c.dir, listsDir, e.name(), file), content); err != nil {
			return err
		}
	}
	return nil
}

// adopt creates an edition from a list that is a plain file, as it is after somebody has
// edited it by hand. What is served stays the same.
func (c *Catalog) adopt() error {
	info, err := os.Lstat(c.ListPath())
	if err != nil || !info.Mode().IsRegular() {
		return nil // It is checked when it is replaced.
	}
	content, err := os.ReadFile(c.ListPath())
	if err != nil {
		return fmt.Errorf("read the list of the catalog: %w", err)
	}
	made := len(c.unlisted)
	e := edition{listFile: content}
	if err := c.writeEdition(e); err != nil {
		return err
	}
	if err := c.symlink(filepath.Join(c.dir, current), e.name()); err != nil {
		return err
	}
	link := filepath.Join(c.dir, listsDir, "list")
	if err := errors.Join(atomicfile.RemoveIfThere(link), os.Symlink(filepath.Join(current, listFile), link)); err != nil {
		return fmt.Errorf("make a link of the list: %w", err)
	}
	if err := os.Rename(link, c.ListPath()); err != nil {
		return fmt.Errorf("replace the list by a link: %w", err)
	}
	c.unlisted = c.unlisted[:made]
	return nil
}

// dropSignature removes the link to the signature of an earlier edition.
func (c *Catalog) dropSignature(e edition) error {
	link := filepath.Join(c.dir, signFile)
	if _, signed := e[signFile]; signed || !exists(link) {
		return nil
	}
	c.changed = true
	c.say("there is no signing key, so " + sumsFile + " is not signed any more")
	return atomicfile.RemoveIfThere(link)
}
