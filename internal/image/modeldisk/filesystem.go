package modeldisk

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// fileSystem is the file system being created, in a directory of its own.
type fileSystem struct {
	directory string
	weights   []Weights
}

// The file names in the directory, without characters that are special to debugfs.
const (
	imageName    = "disk.raw"
	commandsName = "commands"
)

func (f fileSystem) image() string { return filepath.Join(f.directory, imageName) }

// prepare creates the empty disk, and gives the weights names that need no quoting.
func (f fileSystem) prepare() error {
	for _, w := range f.weights {
		absolute, err := filepath.Abs(w.Path)
		if err != nil {
			return err
		}
		if err := os.Symlink(absolute, filepath.Join(f.directory, w.Name)); err != nil {
			return err
		}
	}
	disk, err := os.Create(f.image())
	if err != nil {
		return err
	}
	return errors.Join(disk.Truncate(f.imageSize()), disk.Close())
}

// format creates the file system. Nothing is ever written to it again, so it has no journal,
// no blocks reserved for root and few inodes.
func (f fileSystem) format(ctx context.Context) error {
	uuid := f.uuid()
	// The first eleven are ext4's own.
	inodes := strconv.Itoa(15 + len(f.weights))
	_, _, err := f.run(ctx, mke2fs,
		"-q", "-F", "-t", "ext4", "-b", "4096", "-m", "0", "-N", inodes,
		"-O", "^has_journal,^resize_inode", "-L", appliance.ModelDiskLabel,
		"-U", uuid, "-E", "hash_seed="+uuid+",root_owner=0:0,lazy_itable_init=0,nodiscard", imageName)
	return err
}

// fill copies the weights into the file system. debugfs can read them from anywhere; mke2fs
// would need them in a directory of their own.
func (f fileSystem) fill(ctx context.Context, meter *progress.Meter) error {
	var commands strings.Builder
	for _, w := range f.weights {
		fmt.Fprintf(&commands, "write %[1]s %[1]s\nset_inode_field %[1]s mode 0100444\nstat %[1]s\n", w.Name)
	}
	if err := os.WriteFile(filepath.Join(f.directory, commandsName), []byte(commands.String()), 0o600); err != nil {
		return err
	}
	stop := f.watch(meter)
	answers, complaints, err := f.run(ctx, debugfs, "-w", "-f", commandsName, imageName)
	stop()
	if err != nil {
		return err
	}
	return f.checkFiles(answers, complaints)
}

// watchInterval is how often a meter prints a line.
const watchInterval = 5 * time.Second

// watch reports to the meter how much of the disk is written, because debugfs itself shows no
// progress.
func (f fileSystem) watch(meter *progress.Meter) (stop func()) {
	finished, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(watchInterval)
		defer ticker.Stop()
		for {
			select {
			case <-finished:
				meter.Set(f.size())
				return
			case <-ticker.C:
				var status syscall.Stat_t
				if syscall.Stat(f.image(), &status) == nil {
					// Blocks are 512 bytes, see stat(2).
					meter.Set(min(status.Blocks*512, f.size()))
				}
			}
		}
	}()
	return func() { close(finished); <-ended }
}

// fileFacts matches the output of debugfs's stat command.
var fileFacts = regexp.MustCompile(`Mode:\s+0444 [^\n]*\n[^\n]*\nUser:\s+0\s+Group:\s+0\s[^\n]*Size: ([0-9]+)\n`)

// checkFiles checks the output of debugfs, because its exit status does not reflect whether
// commands failed. The first line of its standard error is its version.
func (f fileSystem) checkFiles(answers, complaints string) error {
	_, wrong, _ := strings.Cut(strings.TrimSpace(complaints), "\n")
	var sizes []string
	for _, found := range fileFacts.FindAllStringSubmatch(answers, -1) {
		sizes = append(sizes, found[1])
	}
	whole := slices.EqualFunc(f.weights, sizes, func(w Weights, size string) bool { return size == strconv.FormatInt(w.Size, 10) })
	if wrong != "" || !whole {
		return fmt.Errorf("debugfs did not write all of it, and says:\n%s", strings.TrimSpace(answers+wrong))
	}
	return nil
}

// check verifies all metadata.
func (f fileSystem) check(ctx context.Context) error {
	_, _, err := f.run(ctx, e2fsck, "-f", "-n", imageName)
	return err
}
