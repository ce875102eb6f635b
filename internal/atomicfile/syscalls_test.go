package atomicfile

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// tracedIn is set in a process that strace follows: the directory it works in.
const tracedIn = "ATOMICFILE_TRACED_IN"

// A power cut cannot be played, nor can another process that looks in between two calls. So
// the calls themselves are looked at, and their order: a file has its owner before others
// may read it, is on the disk before it has its name, and the name is on the disk at the end.
func TestOrderOfSystemCalls(t *testing.T) {
	mine := &Owner{UID: os.Getuid(), GID: os.Getgid()}
	for name, test := range map[string]struct {
		do   func(path string) error
		want []string
	}{
		"Write": {
			func(path string) error { return Write(path, []byte("new"), 0o640, mine) },
			[]string{"fchown temporary", "write temporary", "fchmod temporary", "fsync temporary", "rename path", "fsync directory"},
		},
		"WriteIfChanged": {
			func(path string) error {
				_, err := WriteIfChanged(path, []byte("new"), 0o640, mine)
				return err
			},
			[]string{"fchown temporary", "write temporary", "fchmod temporary", "fsync temporary", "rename path", "fsync directory"},
		},
		"Write for whoever writes": {
			func(path string) error { return Write(path, []byte("new"), 0o640, nil) },
			[]string{"write temporary", "fchmod temporary", "fsync temporary", "rename path", "fsync directory"},
		},
		"Stage": {
			func(path string) error {
				_, err := Stage(path, []byte("new"), 0o640, mine)
				return err
			},
			[]string{"fchown temporary", "write temporary", "fchmod temporary", "fsync temporary"},
		},
		"Link": {
			func(path string) error { return Link("target", path+".link") },
			[]string{"rename path", "fsync directory"},
		},
		"Restore": {
			func(path string) error {
				kept, err := Keep(path)
				if err != nil {
					return err
				}
				return kept.Restore()
			},
			[]string{"rename path", "fsync directory"},
		},
		"Restore nothing": {
			func(path string) error {
				kept, err := Keep(path + ".missing")
				if err != nil {
					return err
				}
				return kept.Restore()
			},
			[]string{"fsync directory"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if dir := os.Getenv(tracedIn); dir != "" {
				require.NoError(t, test.do(filepath.Join(dir, "a")))
				return
			}
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "a"), []byte("old"), 0o600))
			assert.Equal(t, test.want, trace(t, dir), "what is at the path is the old or the new, also after a power cut")
		})
	}
}

// trace runs this test again below strace and returns the calls about files in dir.
func trace(t *testing.T, dir string) []string {
	t.Helper()
	record := filepath.Join(t.TempDir(), "strace")
	again := exec.Command("strace", "-f", "-qq", "-y", "-o", record, "-e", "trace=write,fchown,fchmod,fsync,fdatasync,rename,renameat,renameat2",
		os.Args[0], "-test.run=^"+strings.ReplaceAll(regexp.QuoteMeta(t.Name()), "/", "$/^")+"$")
	again.Env = append(os.Environ(), tracedIn+"="+dir)
	output, err := again.CombinedOutput()
	require.NoError(t, err, "strace (make setup installs it): %s", output)
	content, err := os.ReadFile(record)
	require.NoError(t, err)
	var calls []string
	for line := range strings.Lines(string(content)) {
		if !strings.Contains(line, dir) {
			continue
		}
		call := regexp.MustCompile(`^\d+ +(rename|[a-z]+)`).FindStringSubmatch(line)
		require.NotNil(t, call, line)
		calls = append(calls, call[1]+" "+object(call[1], line, dir))
	}
	return calls
}

func object(call, line, dir string) string {
	switch {
	case call == "rename":
		return "path"
	case strings.Contains(line, "<"+dir+">"):
		return "directory"
	case strings.Contains(line, "<"+dir+"/.a.new-"):
		return "temporary"
	}
	return line
}
