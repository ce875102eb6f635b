// Package tools_test runs the scripts that set a machine up, on machines that are made to
// look like others. What they install is tested on whole machines, by hosts.sh.
package tools_test

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

// basics are the commands that the scripts take for granted.
var basics = []string{"sh", "awk", "cat", "cut", "df", "dirname", "getent", "grep", "head", "id", "sed", "tail", "tr", "uname", "unshare"}

// machine is a directory of commands that is the whole PATH: the basics, and those that
// are given with what they print.
func machine(t *testing.T, commands map[string]string) string {
	t.Helper()
	directory := t.TempDir()
	for _, name := range basics {
		path, err := exec.LookPath(name)
		require.NoError(t, err)
		require.NoError(t, os.Symlink(path, filepath.Join(directory, name)))
	}
	for name, script := range commands {
		path := filepath.Join(directory, name)
		if err := os.Remove(path); err != nil {
			require.ErrorIs(t, err, os.ErrNotExist)
		}
		require.NoError(t, os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	}
	return directory
}

// setup runs the script at the top of the repository and returns what it says.
func setup(t *testing.T, path string, arguments ...string) (string, error) {
	t.Helper()
	// Go runs a test again when a file that it read itself has changed.
	for _, script := range []string{"setup.sh", "host.sh", "packages"} {
		_, err := os.ReadFile(script)
		require.NoError(t, err)
	}
	command := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"internal/tools/setup.sh"}, arguments...)...)
	command.Dir = "../.."
	command.Env = []string{"PATH=" + path, "HOME=" + t.TempDir()}
	output, err := command.CombinedOutput()
	return string(output), err
}

const ordinary = `case $1 in -un) echo nobody-here;; *) echo 54321;; esac`

func TestDoctorNamesWhatIsInTheWay(t *testing.T) {
	const go122 = "echo go version go1.22.2 linux/amd64"
	tests := map[string]struct {
		level    string
		commands map[string]string
		want     []string
	}{
		"macOS": {"build", map[string]string{"uname": "echo Darwin"}, []string{`✗ system +macOS cannot run this: use a virtual machine`}},
		"Windows": {"build", map[string]string{"uname": "echo MINGW64_NT-10.0"}, []string{
			`✗ system +MINGW64_NT-10.0 cannot run this: use Debian or Ubuntu, on Windows in WSL 2`}},
		"arm64": {"demo", map[string]string{"uname": "case $1 in -s) echo Linux;; *) echo aarch64;; esac"}, []string{
			`✗ system +aarch64: the demonstration is made for x86_64`}},
		"another distribution": {"demo", nil, []string{`✗ packages +neither Debian nor Ubuntu; install by hand: .*qemu-system-x86.*golang-go`}},
		"Fedora": {"demo", map[string]string{"dnf": "", "go": go122}, []string{
			`✗ packages +neither Debian nor Ubuntu; install by hand: .*qemu-img`}},
		"neither root nor sudo": {"demo", map[string]string{"apt-get": "", "id": ordinary}, []string{
			`✗ packages +neither root nor sudo; as root: apt-get update && apt-get install --no-install-recommends .*xorriso`,
			`✗ namespaces +nobody-here has no subordinate ids in /etc/subuid: sudo usermod --add-subuids`}},
		"packages that setup installs": {"demo", map[string]string{"apt-get": "", "sudo": "", "go": go122}, []string{`- packages +\d+ to install: .*qemu-utils`}},
		"an old Go":                    {"build", map[string]string{"apt-get": "", "go": "echo go version go1.19.8 linux/amd64"}, []string{`- go +none of 1.21 or later: setup fetches one`}},
		"a Go that fetches newer ones": {"build", map[string]string{"go": go122}, []string{`✓ go +go version go1.22.2`}},
		"a Packer of its own":          {"demo", map[string]string{"packer": "echo Packer v1.12.0"}, []string{`✓ packer +Packer v1.12.0`}},
		"an unknown level":             {"demos", nil, []string{`LEVEL is build, shell, demo or test, not demos`}},
		"an old Packer":                {"demo", map[string]string{"packer": "echo Packer v1.9.4"}, []string{`- packer +none of 1.11 or later`}},
		"a full disk":                  {"demo", map[string]string{"df": "printf 'x\\nx x x 1100000 x x\\n'"}, []string{`✗ disk +1 GB free in .*, make demo takes \d+ GB`}},
		"no user namespaces": {"demo", map[string]string{
			"id": `case $1 in -un) echo root;; *) echo 54321;; esac`, "mmdebstrap": "exit 1", "grep": "case $3 in *:*) exit 0;; esac; exit 1",
		}, []string{`✗ namespaces +this machine allows root no user namespace`}},
		"no name service": {"demo", map[string]string{"getent": "exit 2"}, []string{`✗ network +(no IPv4 route|deb.debian.org has no IPv4 address here)`}},
		"no KVM":          {"demo", map[string]string{"grep": "exit 1"}, []string{`- virtualization +no KVM`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			output, err := setup(t, machine(t, test.commands), "doctor", test.level)
			for _, want := range test.want {
				assert.Regexp(t, want, output)
			}
			switch {
			case regexp.MustCompile(`(?m)^  ✗`).MatchString(output):
				assert.Error(t, err)
				assert.Contains(t, output, "what is marked ✗ is in the way of make "+test.level)
			case strings.Contains(output, "can run here"):
				assert.NoError(t, err, output)
			default:
				assert.Error(t, err)
			}
		})
	}
}

func TestSetupRefusesAllAtOnceAndBeforeAnything(t *testing.T) {
	path := machine(t, map[string]string{
		"id": ordinary, "df": "printf 'x\\nx x x 1100000 x x\\n'",
		"apt-get": "echo apt-get was run", "go": "echo go was run",
	})
	output, err := setup(t, path, "demo")
	require.Error(t, err)
	assert.Contains(t, output, "setup: make demo cannot run here:\n")
	assert.Contains(t, output, "\n  packages: neither root nor sudo")
	assert.Contains(t, output, "\n  disk: 1 GB free")
	assert.Contains(t, output, "\n  namespaces: nobody-here has no subordinate ids")
	assert.NotContains(t, output, "was run")
}

// Every level is there, and each line of the table has its four columns.
func TestTheTableOfPackages(t *testing.T) {
	text, err := os.ReadFile("packages")
	require.NoError(t, err)
	rows := regexp.MustCompile(`(?m)^[^#].*$`).FindAllString(string(text), -1)
	require.NotEmpty(t, rows)
	for _, row := range rows {
		assert.Regexp(t, `^(build|demo|test|optional) \S+ [a-z0-9.+-]+ [a-z0-9.+-]+$`, row)
	}
}
