package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
)

// asCommand is an environment variable that makes the test binary act as the command.
const asCommand = "SERVE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestUsage(t *testing.T) {
	var out bytes.Buffer
	require.NoError(t, run(t.Context(), []string{"-h"}, &out))
	assert.Equal(t, usage, out.String())
	const wrong = "-listen: must be the address at which the front-end reaches this machine and a port, such as 192.0.2.7:8085; got "
	for want, arguments := range map[string][]string{
		"flag provided but not defined: -x":                   {"-x"},
		"name one directory, not 2":                           {"a", "b"},
		wrong + `"8085"`:                                      {"-listen", "8085"},
		wrong + `":8085"`:                                     {"-listen", ":8085"},
		wrong + `"[::]:8085"`:                                 {"-listen", "[::]:8085"},
		wrong + `"0.0.0.0:1"` + "\nname one directory, not 2": {"-listen", "0.0.0.0:1", "a", "b"},
		wrong + `"a:b"`:                                       {"-listen", "a:b"},
		wrong + `"127.0.0.1:70000"`:                           {"-listen", "127.0.0.1:70000"},
	} {
		assert.EqualError(t, run(t.Context(), arguments, io.Discard), want+"\nsee serve -h")
	}
	err := run(t.Context(), []string{t.TempDir()}, io.Discard)
	assert.ErrorContains(t, err, "there is no marketplace in ")
	assert.ErrorContains(t, err, "run `make demo` first")
}

// market creates a minimal marketplace, in a home directory that other users cannot read.
func market(t *testing.T) (directory, id string) {
	t.Helper()
	home := filepath.Join(t.TempDir(), "home")
	directory, id = filepath.Join(home, "dist", "marketplace"), "0123456789abcdef01234567"
	for name, content := range map[string]string{
		"appliances.json":                  `{"appliances": []}`,
		"SHA256SUMS":                       "sums",
		"images/slm.qcow2":                 "0123456789",
		"appliance/" + id + "/app.json":    `{"name": "app"}`,
		"appliance/" + id + "/download/no": "",
	} {
		path := filepath.Join(directory, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
	}
	require.NoError(t, os.Symlink("../../../images/slm.qcow2", filepath.Join(directory, "appliance", id, "download/0")))
	require.NoError(t, os.Chmod(home, 0o700))
	return directory, id
}

// start runs the command and returns what it prints when it is ready.
func start(t *testing.T, temporary string, arguments ...string) (*exec.Cmd, string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], arguments...)
	command.Env = append(os.Environ(), asCommand+"=1", "TMPDIR="+temporary)
	command.Stderr = os.Stderr
	pipe, err := command.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, command.Start())
	var said strings.Builder
	for lines := bufio.NewScanner(pipe); lines.Scan(); {
		said.WriteString(lines.Text() + "\n")
		if strings.Contains(lines.Text(), "Ctrl-C ends") {
			return command, said.String()
		}
	}
	require.NoError(t, errors.Join(command.Wait(), errors.New("it ended early")), said.String())
	return nil, ""
}

func get(t *testing.T, url, bytesRange string) (int, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	if bytesRange != "" {
		request.Header.Set("Range", "bytes="+bytesRange)
	}
	// OpenNebula's driver does not follow redirects.
	response, err := http.DefaultTransport.RoundTrip(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(body)
}

// The responses of the site are tested with the catalog. This test checks that nginx serves
// the site at the given address, and that nothing is left afterwards.
func TestItServesAndLeavesNothing(t *testing.T) {
	for name, signal := range map[string]os.Signal{"Ctrl-C": syscall.SIGINT, "terminated": syscall.SIGTERM} {
		t.Run(name, func(t *testing.T) {
			address := nginxtest.FreeAddress(t)
			directory, id := market(t)
			temporary := t.TempDir()
			command, said := start(t, temporary, "-listen", address, directory)
			assert.Contains(t, said, `'ENDPOINT="http://`+address+`"' >market.txt`+"\nonemarket create market.txt\n")
			for path, want := range map[string]string{
				"//appliance": `{"appliances": []}`, "/SHA256SUMS": "sums", "/appliance/" + id: `{"name": "app"}`,
				"/appliance/" + id + "/download/0": "0123456789", "/images/slm.qcow2": "0123456789",
			} {
				status, body := get(t, "http://"+address+path, "")
				assert.Equal(t, http.StatusOK, status, path)
				assert.Equal(t, want, body, path)
			}
			status, body := get(t, "http://"+address+"/appliance/"+id+"/download/0", "2-4")
			assert.Equal(t, http.StatusPartialContent, status)
			assert.Equal(t, "234", body)
			status, _ = get(t, "http://"+address+"/nginx.conf", "")
			assert.Equal(t, http.StatusNotFound, status)

			require.NoError(t, command.Process.Signal(signal))
			require.NoError(t, command.Wait())
			left, err := os.ReadDir(temporary)
			require.NoError(t, err)
			assert.Empty(t, left)
			_, err = http.Get("http://" + address + "//appliance")
			assert.ErrorContains(t, err, "connection refused")
		})
	}
}

// If the process is killed, its nginx ends too.
func TestKilledItServesNoLonger(t *testing.T) {
	address := nginxtest.FreeAddress(t)
	directory, _ := market(t)
	command, _ := start(t, t.TempDir(), "-listen", address, directory)
	require.NoError(t, command.Process.Kill())
	_ = command.Wait()
	require.Eventually(t, func() bool {
		response, err := http.Get("http://" + address + "//appliance")
		if err == nil {
			response.Body.Close()
		}
		return err != nil
	}, time.Minute, 10*time.Millisecond)
}

func TestAnAddressThatIsTakenIsSaid(t *testing.T) {
	address := nginxtest.FreeAddress(t)
	directory, _ := market(t)
	start(t, t.TempDir(), "-listen", address, directory)
	err := run(t.Context(), []string{"-listen", address, directory}, io.Discard)
	assert.EqualError(t, err, "nginx ended instead of listening: it says why above")
}

func TestInterruptedBeforeItServesIsNoFailure(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	directory, _ := market(t)
	assert.NoError(t, run(ctx, []string{"-listen", nginxtest.FreeAddress(t), directory}, io.Discard))
}
