package catalog

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/signature"
)

// A publishing process makes all its system calls that matter in one thread, the first: it
// is the one that strace follows.
func init() {
	if os.Getenv("CATALOG_DIR") != "" {
		runtime.LockOSThread()
	}
}

// TestMain makes of this binary a process that publishes images, if it is asked to.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CATALOG_DIR"); dir != "" {
		if err := publishAsProcess(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func publishAsProcess(dir string) error {
	if limit, err := strconv.ParseUint(os.Getenv("CATALOG_FILE_SIZE"), 10, 64); err == nil {
		// The kernel sends a signal as well, which would end the process.
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			return err
		}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	base, err := ParseBaseURL("https://apps.example.org")
	if err != nil {
		return err
	}
	c, err := Open(ctx, dir, base, func(line string) { fmt.Println(line) })
	if err != nil {
		return err
	}
	return errors.Join(publishImages(ctx, c), c.Close())
}

func publishImages(ctx context.Context, c *Catalog) error {
	key, err := signature.ReadKey(os.Getenv("CATALOG_KEY"), "")
	if err != nil {
		return err
	}
	images := filepath.SplitList(os.Getenv("CATALOG_IMAGES"))
	var manifests []manifest.Manifest
	for _, image := range images {
		m, err := manifest.Read(manifest.Path(image))
		if err != nil {
			return err
		}
		manifests = append(manifests, m)
	}
	entries, err := NewEntries(exampleApp(os.Getenv("CATALOG_VERSION")), manifests, c.base)
	if err != nil {
		return err
	}
	for i, image := range images {
		if err := c.PlaceImage(ctx, entries[i], image, manifests[i].FileSize, nil); err != nil {
			return err
		}
	}
	for _, e := range entries {
		if err := c.WriteApp(e); err != nil {
			return err
		}
	}
	return c.Publish(entries, Options{KeepVersions: 2, SigningKey: key})
}

// job is what a publishing process is asked to do.
type job struct {
	dir, version, key string
	images            []image
	// fileSize is what the kernel lets it write into one file, 0 for no limit.
	fileSize int64
}

func (j job) command(t *testing.T, through ...string) *exec.Cmd {
	t.Helper()
	var paths []string
	for _, img := range j.images {
		require.NoError(t, manifest.Write(manifest.Path(img.path), img.manifest))
		paths = append(paths, img.path)
	}
	args := append(slices.Clone(through), os.Args[0])
	command := exec.CommandContext(t.Context(), args[0], args[1:]...)
	// The race detector would let each process sleep for a second at its end.
	command.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "CATALOG_DIR="+j.dir, "CATALOG_VERSION="+j.version,
		"CATALOG_IMAGES="+strings.Join(paths, ":"), "CATALOG_KEY="+j.key)
	if j.fileSize > 0 {
		command.Env = append(command.Env, fmt.Sprint("CATALOG_FILE_SIZE=", j.fileSize))
	}
	return command
}

func (j job) mustRun(t *testing.T) {
	t.Helper()
	output, err := j.command(t).CombinedOutput()
	require.NoError(t, err, "%s", output)
}
