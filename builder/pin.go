package builder

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// The template fields of the inputs, as error messages name them.
const (
	fieldBase       = "base_image"
	fieldModel      = "model"
	fieldOtherModel = "other_model"
)

// readLock opens the lock file; an empty path is the one in the plugin.
func (c *Config) readLock(path string) (err error) {
	c.lock, err = lockfile.Open(path)
	return err
}

// pinBase returns the source and digest of the base image.
func (c *Config) pinBase() (lockfile.Input, error) {
	input, found := c.lockedBase()
	if !found {
		input = lockfile.Input{Kind: lockfile.KindBaseImage, Name: c.BaseImage, Arch: c.goArch(), Source: c.BaseImage}
		if listed, known := catalogue[c.BaseImage]; known {
			input.Source = listed.url(c.goArch())
		} else if isName(c.BaseImage) {
			return lockfile.Input{}, fmt.Errorf("base_image: %q is neither an image known by name (%s) nor a file that is here: give one of these names, a path or an http(s) URL",
				c.BaseImage, strings.Join(catalogueNames(), ", "))
		} else {
			input.Name = filepath.Base(sourceuri.Shown(c.BaseImage))
		}
	}
	return c.wanted(fieldBase, fieldBase+"_checksum", c.BaseImageChecksum).Pin(input)
}

// fileSuffix matches what the name of a file ends in, and no version of a system.
var fileSuffix = regexp.MustCompile(`\.[A-Za-z][A-Za-z0-9]*$`)

// isName reports whether a base image is meant as a name like those of the catalogue. Templates
// are validated where their files are not, so a path is taken for one without a look at the disk.
func isName(image string) bool {
	if strings.Contains(image, "/") || fileSuffix.MatchString(image) {
		return false
	}
	_, err := os.Stat(image)
	return err != nil
}

// lockedBase finds an image of the catalogue by its name rather than its source, so that
// the lock file can point to another source, such as a dated release instead of the latest.
func (c *Config) lockedBase() (lockfile.Input, bool) {
	if _, listed := catalogue[c.BaseImage]; !listed {
		return c.lock.Find(lockfile.KindBaseImage, c.goArch(), c.BaseImage)
	}
	return c.lock.Named(c.BaseImage).Find(lockfile.KindBaseImage, c.goArch(), "")
}

// modelBlock is a block with a model, and its name for messages.
type modelBlock struct {
	field string
	*Model
}

// models returns the blocks with models, that of the block "model" first.
func (c *Config) models() []modelBlock {
	var blocks []modelBlock
	if c.Model != nil {
		blocks = append(blocks, modelBlock{fieldModel, c.Model})
	}
	for i := range c.OtherModels {
		blocks = append(blocks, modelBlock{fmt.Sprintf("%s[%d]", fieldOtherModel, i), &c.OtherModels[i]})
	}
	return blocks
}

// pinModel returns the source and digest of the weights.
func (c *Config) pinModel(m modelBlock) (lockfile.Input, error) {
	input, found := c.lock.FindModel(c.goArch(), m.Source, m.ID)
	if !found && m.Source == "" {
		named := "one model"
		if m.ID != "" {
			named = strconv.Quote(m.ID)
		}
		return input, fmt.Errorf("%s.source: must be set: %s does not name %s", m.field, lockfile.Called(c.LockFile), named)
	}
	if !found {
		input = lockfile.Input{Kind: lockfile.KindModel, Name: filepath.Base(sourceuri.Shown(m.Source)), Source: m.Source}
	}
	return c.wanted(m.field, m.field+".checksum", m.Checksum).Pin(input)
}

func (c *Config) wanted(field, checksumField, checksum string) lockfile.Wanted {
	return lockfile.Wanted{
		Field: field, ChecksumField: checksumField, Checksum: checksum, Lock: lockfile.Called(c.LockFile), AllowUnpinned: c.AllowUnpinned,
	}
}
