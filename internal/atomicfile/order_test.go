package atomicfile

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// writerEnv makes a process of this test write what it names, for strace to watch.
const writerEnv = "ATOMICFILE_TEST_WRITES"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerEnv); path != "" {
		if err := writeAll(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func writeAll(path string) error {
	if err := Write(path, []byte("content"), 0o640, &Owner{os.Getuid(), os.Getgid()}); err != nil {
		return err
	}
	if err := Link("content", path+"-link"); err != nil {
		return err
	}
	for _, name := range []string{path, path + "-missing"} {
		kept, err := Keep(name)
		if err != nil {
			return err
		}
		if err := kept.Restore(); err != nil {
			return err
		}
	}
	return Write(path, []byte("content"), 0o640, nil)
}

// What the kernel is asked for, and in which order: no reader of the result could tell.
// Whoever gets the file must not own it while others may read it, it must be on the disk
// before it has its name, and the name must be on the disk before it is relied upon.
func TestTheKernelIsAskedInThisOrder(t *testing.T) {
	dir := t.TempDir()
	path, trace := filepath.Join(dir, "a"), filepath.Join(t.TempDir(), "trace")
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command("strace", "-f", "-y", "-qq", "-s", "16", "-o", trace,
		"-e", "trace=write,fchown,fchmod,fchmodat,fsync,rename,renameat,renameat2,link,linkat,symlink,symlinkat", program)
	cmd.Env = append(os.Environ(), writerEnv+"="+path)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "strace (make setup installs it): %s", out)
	content, err := os.ReadFile(trace)
	require.NoError(t, err)

	var calls []string
	call := regexp.MustCompile(`^\d+ +([a-z]+?)(?:at2?)?\((.*?)(?:\) += |$)`)
	temp := regexp.MustCompile(`\.new-\d+`)
	for line := range strings.Lines(string(content)) {
		match := call.FindStringSubmatch(strings.TrimSpace(line))
		if match == nil || !strings.Contains(match[2], dir) {
			continue
		}
		// Only the names in the directory, and which one comes first, are of interest.
		names := regexp.MustCompile(regexp.QuoteMeta(dir)+`[^">]*`).FindAllString(match[2], -1)
		said := match[1]
		for _, name := range names {
			said += " " + temp.ReplaceAllString(strings.TrimPrefix(strings.TrimPrefix(name, dir), "/"), ".new")
		}
		calls = append(calls, strings.TrimSpace(said))
	}
	assert.Equal(t, []string{
		"fchown .a.new", "write .a.new", "fchmod .a.new", "fsync .a.new", "rename .a.new a", "fsync",
		"symlink .a-link.new-link", "rename .a-link.new-link a-link", "fsync",
		"link a .a.new-kept", "rename .a.new-kept a", "fsync",
		"link a-missing .a-missing.new-kept", "fsync",
		"write .a.new", "fchmod .a.new", "fsync .a.new", "rename .a.new a", "fsync",
	}, calls)
}

// A change of the owner takes away the bits that let a program run as its owner; the mode
// that was asked for is there because it comes last.
func TestModeAndOwnerAreBothAsAsked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	require.NoError(t, Write(path, nil, 0o755|os.ModeSetuid, &Owner{os.Getuid(), os.Getgid()}))
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, 0o755|os.ModeSetuid, info.Mode())
}
