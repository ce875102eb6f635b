package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
)

// reports are the files of a run, in a directory of their own.
type reports string

func (r reports) flags() []string {
	return []string{"--json", r.path("json"), "--junit", r.path("xml"), "--html", r.path("html")}
}

func (r reports) path(ext string) string { return filepath.Join(string(r), "report."+ext) }

func (r reports) survey(t *testing.T) acceptance.Survey {
	t.Helper()
	var survey acceptance.Survey
	require.NoError(t, json.Unmarshal([]byte(readFile(t, r.path("json"))), &survey))
	return survey
}

func TestCheckWritesReports(t *testing.T) {
	s := serveWithNginx(t)
	require.NoError(t, os.Remove(filepath.Join(s.root, appliance.WebRoot, appliance.PathCA)))
	files := reports(t.TempDir())
	args := append(files.flags(), "--only", "root-offered,health-open,metrics-add-up", "--skip", "metrics-add-up")
	code, stdout, stderr := s.check(t.Context(), s.root, "", args...)
	require.Equal(t, 1, code, stdout+stderr)
	survey := files.survey(t)
	require.Len(t, survey.Results, 2)
	assert.Equal(t, "root-offered", survey.Results[0].Key)
	assert.False(t, survey.Results[0].Passed)
	assert.NotEmpty(t, survey.Results[0].Remedy)
	assert.True(t, survey.Results[1].Passed)
	assert.Equal(t, "https://"+s.https, survey.URL)
	assert.Equal(t, acceptance.Suite, survey.Suite)
	assert.NotEmpty(t, survey.Version, "the gateway tells it")
	assert.Contains(t, readFile(t, files.path("html")), survey.Version)
	var junit struct {
		Suite struct {
			Failures int `xml:"failures,attr"`
		} `xml:"testsuite"`
	}
	require.NoError(t, xml.Unmarshal([]byte(readFile(t, files.path("xml"))), &junit))
	assert.Equal(t, 1, junit.Suite.Failures)
	for _, ext := range []string{"json", "xml", "html"} {
		assert.NotContains(t, readFile(t, files.path(ext)), checkedPassword)
	}

	// One that cannot be written does not keep the others, nor the verdict.
	code, _, stderr = s.check(t.Context(), s.root, "", append(args, "--junit", filepath.Join(string(files), "none", "report.xml"))...)
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "1 of 2 checks of ")
	assert.Contains(t, stderr, "report the results: ")
	code, _, stderr = s.check(t.Context(), s.root, "", "--only", "health-open", "--json", string(files))
	assert.Equal(t, 2, code)
	assert.Contains(t, stderr, "is not a regular file")

	// A report of an earlier run would be taken for this one's.
	s.https = "127.0.0.1:1"
	code, _, stderr = s.check(t.Context(), s.root, "", args...)
	assert.Equal(t, 2, code)
	assert.Contains(t, files.survey(t).Error, "connection refused")
	assert.Contains(t, stderr, files.survey(t).Error)
	assert.Empty(t, files.survey(t).Results)
}

// The fingerprint is what the report of the appliance shows.
func TestCheckWithAPin(t *testing.T) {
	s := serveWithNginx(t)
	block, _ := pem.Decode([]byte(readFile(t, s.ca())))
	root, err := x509.ParseCertificate(block.Bytes)
	require.NoError(t, err)
	fingerprint := clients.Fingerprint(root)
	for _, pin := range []string{fingerprint, strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))} {
		code, stdout, stderr := s.check(t.Context(), t.TempDir(), checkedPassword, "https://"+s.https, "--password-file", "-", "--pin", pin,
			"--only", "root-offered,certificate-trusted,tls-current,health-open")
		assert.Zero(t, code, stdout+stderr)
		assert.Contains(t, stdout, "all 4 checks")
	}
}

// A page of a proxy is no appliance.
func TestCheckOfAWebsite(t *testing.T) {
	s := serveWithNginx(t)
	page := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = io.WriteString(w, "<html>")
	}))
	defer page.Close()
	code, stdout, stderr := s.check(t.Context(), t.TempDir(), "x", page.URL, "--password-file", "-",
		"--pin", strings.ReplaceAll(clients.Fingerprint(page.Certificate()), ":", ""))
	assert.Equal(t, 2, code)
	assert.Empty(t, stdout)
	assert.Contains(t, stderr, `it answers with Content-Type "text/html", status 200, and not with JSON`)
	assert.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
}

// slow is an engine as slow as a CPU, as its handler, and an nginx before it.
type slow struct {
	engine func(http.Handler) http.Handler
	nginx  func(site []byte) []byte
}

func (b slow) serve(t *testing.T) *checked {
	t.Helper()
	v := newVM(t)
	v.configure(map[string]string{"ETH0_IP": "127.0.0.1", appliance.VarPassword: checkedPassword})
	engine := httptest.NewServer(b.engine(localaitest.NewHandler(localaitest.Options{
		Keys: []string{strings.TrimSpace(v.read(appliance.EngineKeyFile))}, ReadingSpeed: 60, TokenDelay: 10 * time.Millisecond,
	})))
	t.Cleanup(engine.Close)
	return v.behindEditedNginx(t, engine.Listener.Addr().String(), b.nginx)
}

func sameEngine(h http.Handler) http.Handler { return h }

func sameSite(site []byte) []byte { return site }

// deaf does not notice when a client leaves.
func deaf(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(context.WithoutCancel(r.Context())))
	})
}

func buffering(site []byte) []byte {
	return bytes.ReplaceAll(site, []byte("proxy_buffering off;"), []byte("proxy_buffering on;"))
}

// There is something to see of what an engine that is too fast hides.
func TestCheckOfASlowEngine(t *testing.T) {
	s := slow{sameEngine, sameSite}.serve(t)
	t.Parallel()
	files := reports(t.TempDir())
	code, stdout, stderr := s.check(t.Context(), s.root, "", append(files.flags(),
		"--only", "gone-client-frees-engine,signs-of-life,second-turn-begins-sooner")...)
	require.Zero(t, code, stdout+stderr)
	for i, want := range []string{`^the next one had its first token after `, `^\d+ in .*, silent for .* at most$`, `^the first turn began after .*, the second after `} {
		assert.Regexp(t, want, files.survey(t).Results[i].Detail)
	}
}

// An nginx that collects answers, and an engine that goes on for clients that have left.
func TestCheckFindsWhatMakesClientsWait(t *testing.T) {
	for key, tt := range map[string]struct {
		broken slow
		want   string
	}{
		"signs-of-life":            {slow{sameEngine, buffering}, "the stream was silent for "},
		"gone-client-frees-engine": {slow{deaf, sameSite}, "after a client had left in the middle of an answer"},
	} {
		t.Run(key, func(t *testing.T) {
			s := tt.broken.serve(t)
			t.Parallel()
			code, stdout, stderr := s.check(t.Context(), s.root, "", "--only", key)
			assert.Equal(t, 1, code, stderr)
			assert.Contains(t, stdout, tt.want)
		})
	}
}

// openTerminal returns both ends of a pseudo-terminal.
func openTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = master.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0))
	number, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = slave.Close() })
	return master, slave
}

func TestColoursOnATerminal(t *testing.T) {
	s := serveWithNginx(t)
	master, slave := openTerminal(t)
	t.Setenv("TERM", "xterm")
	t.Setenv("NO_COLOR", "")
	require.NoError(t, os.Unsetenv("NO_COLOR"))
	assert.True(t, showsColours(slave))
	code := run(t.Context(), []string{"--root", s.root, "check", "--only", "health-open"}, slave, io.Discard, func(root string) app {
		a := newApp(root)
		a.baseURL = "https://" + s.https
		return a
	})
	require.Zero(t, code)
	line, err := bufio.NewReader(master).ReadString('\n')
	require.NoError(t, err)
	assert.Contains(t, line, "\x1b[32mok\x1b[0m    health needs no password")
	t.Setenv("NO_COLOR", "1")
	assert.False(t, showsColours(slave))
	t.Setenv("NO_COLOR", "")
	assert.True(t, showsColours(slave), "an empty one does not count")
	t.Setenv("TERM", "dumb")
	assert.False(t, showsColours(slave))
	t.Setenv("TERM", "xterm")
	file, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	defer file.Close()
	assert.False(t, showsColours(file))
	assert.False(t, showsColours(&bytes.Buffer{}))
}

// What a server says cannot colour anything itself.
func TestVerdict(t *testing.T) {
	var out bytes.Buffer
	terminal{&out, true}.verdict(red, "FAIL  it says \x1b[32mok")
	terminal{&out, false}.verdict(green, "ok    it answers")
	assert.Equal(t, "\x1b[31mFAIL\x1b[0m  it says  [32mok\nok    it answers\n", out.String())
}
