package serve

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/recordertest"
)

func newFile(t testing.TB, size int) (transfer.File, []byte) {
	t.Helper()
	content := make([]byte, size)
	_, _ = rand.Read(content)
	path := filepath.Join(t.TempDir(), "image.qcow2")
	require.NoError(t, os.WriteFile(path, content, 0o600))
	return transfer.File{Path: path, Name: "slm copilot-1.0.0.qcow2", Size: int64(size)}, content
}

func offer(t testing.TB, options Options, file transfer.File) (*Method, string, *recordertest.Lines) {
	t.Helper()
	require.Empty(t, options.Mistakes())
	m, said := New(options), new(recordertest.Lines)
	t.Cleanup(func() { assert.NoError(t, m.Close()) })
	require.NoError(t, m.Check(t.Context(), []transfer.File{file}))
	address, err := m.Send(t.Context(), file, said.Say)
	require.NoError(t, err)
	return m, address, said
}

// curl is the program by which a front-end fetches, with its options.
func curl(t testing.TB, arguments ...string) []byte {
	t.Helper()
	content, err := exec.CommandContext(t.Context(), "curl", append([]string{"--fail", "-sS", "-k", "-L", "--noproxy", "*"}, arguments...)...).Output()
	require.NoError(t, err, "curl is missing or failed: run make setup")
	return content
}

func status(t *testing.T, method, address string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	return response.StatusCode
}

func TestAFrontEndFetches(t *testing.T) {
	file, content := newFile(t, 8<<20)
	_, address, said := offer(t, Options{Listen: "127.0.0.1:0"}, file)
	for range 6 {
		response, err := http.Get(address)
		require.NoError(t, err)
		_, err = io.CopyN(io.Discard, response.Body, 65536)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
	}
	assert.True(t, bytes.Equal(content, curl(t, address)))

	assert.Equal(t, content[100:200], curl(t, "-r", "100-199", address))
	partial := filepath.Join(t.TempDir(), "partial")
	require.NoError(t, os.WriteFile(partial, content[:1<<20], 0o600))
	curl(t, "-C", "-", "-o", partial, address)
	resumed, err := os.ReadFile(partial)
	require.NoError(t, err)
	assert.True(t, bytes.Equal(content, resumed))
	assert.Contains(t, string(curl(t, "-I", address)), fmt.Sprintf("Content-Length: %d", len(content)))

	secret := strings.Split(address, "/")[3]
	assert.Len(t, secret, 40)
	assert.NotContains(t, said.Text(), secret)
	assert.Contains(t, said.Text(), "Serving "+file.Name+" at http://127.0.0.1:")
}

func TestNothingElseIsServed(t *testing.T) {
	file, _ := newFile(t, 100)
	m, address, _ := offer(t, Options{Listen: "127.0.0.1:0"}, file)
	base := strings.Join(strings.Split(address, "/")[:3], "/")
	for _, place := range []string{"", "/", "/slm%20copilot-1.0.0.qcow2", "/0123456789012345678901234567890123456789/slm%20copilot-1.0.0.qcow2"} {
		assert.Equal(t, http.StatusNotFound, status(t, http.MethodGet, base+place), place)
	}
	assert.Equal(t, http.StatusNotFound, status(t, http.MethodGet, address+"/"))
	assert.Equal(t, http.StatusMethodNotAllowed, status(t, http.MethodPut, address))

	other, err := m.Send(t.Context(), file, func(string) {})
	require.NoError(t, err)
	assert.NotEqual(t, address, other)
	require.NoError(t, m.Remove(t.Context(), file))
	for _, gone := range []string{address, other} {
		assert.Equal(t, http.StatusNotFound, status(t, http.MethodGet, gone))
	}
	require.NoError(t, m.Close())
	_, err = http.Get(address)
	assert.ErrorContains(t, err, "connection refused")
	require.NoError(t, m.Close(), "once more")
}

func TestOverTLS(t *testing.T) {
	// The certificate of a test server.
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	key, err := x509.MarshalPKCS8PrivateKey(server.TLS.Certificates[0].PrivateKey)
	require.NoError(t, err)
	write := func(kind string, bytes []byte) string {
		path := filepath.Join(t.TempDir(), kind)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600))
		return path
	}
	file, content := newFile(t, 1<<20)
	_, address, _ := offer(t, Options{
		Listen: "127.0.0.1:0", CertificateFile: write("CERTIFICATE", server.Certificate().Raw), KeyFile: write("PRIVATE KEY", key),
	}, file)
	require.True(t, strings.HasPrefix(address, "https://"))
	assert.True(t, bytes.Equal(content, curl(t, address)))
}

func TestWhatCannotBeServed(t *testing.T) {
	file, _ := newFile(t, 100)
	first, _, _ := offer(t, Options{Listen: "127.0.0.1:0"}, file)
	taken := New(Options{Listen: strings.TrimPrefix(first.base, "http://")})
	assert.ErrorContains(t, taken.Check(t.Context(), nil), "choose another port")
	assert.ErrorContains(t, New(Options{Listen: "127.0.0.1:0", CertificateFile: "/nonexistent", KeyFile: "/nonexistent"}).Check(t.Context(), nil), "certificate_file")

	gone := file
	gone.Path = "/nonexistent"
	_, err := first.Send(t.Context(), gone, func(string) {})
	assert.ErrorIs(t, err, os.ErrNotExist)
	larger := file
	larger.Size++
	_, err = first.Send(t.Context(), larger, func(string) {})
	assert.ErrorContains(t, err, "something changed it meanwhile")
}

func TestAFileThatChangesIsNotServed(t *testing.T) {
	file, _ := newFile(t, 100)
	_, address, said := offer(t, Options{Listen: "127.0.0.1:0"}, file)
	require.NoError(t, os.Truncate(file.Path, 50))
	assert.Equal(t, http.StatusInternalServerError, status(t, http.MethodGet, address))
	assert.Contains(t, said.Text(), "it has changed since")
	require.NoError(t, os.Remove(file.Path))
	assert.Equal(t, http.StatusInternalServerError, status(t, http.MethodGet, address))
}

func TestTheAddressIsWhatIsDialled(t *testing.T) {
	file, _ := newFile(t, 1)
	_, address, _ := offer(t, Options{Listen: "127.0.0.1:0", Address: "ci.example.org:8099"}, file)
	assert.True(t, strings.HasPrefix(address, "http://ci.example.org:8099/"), address)
}

func TestMistakes(t *testing.T) {
	for name, test := range map[string]struct {
		options Options
		want    []string
	}{
		"none":            {Options{}, []string{"listen: "}},
		"no port":         {Options{Listen: "127.0.0.1"}, []string{"listen: "}},
		"a bad port":      {Options{Listen: "127.0.0.1:99999"}, []string{"listen: "}},
		"all addresses":   {Options{Listen: "0.0.0.0:80"}, []string{"address: must be set"}},
		"all of IPv6":     {Options{Listen: "[::]:80"}, []string{"address: must be set"}},
		"no host":         {Options{Listen: ":80"}, []string{"address: must be set"}},
		"a bad address":   {Options{Listen: ":80", Address: "ci"}, []string{"address: must be the host:port"}},
		"port 0 dialled":  {Options{Listen: ":80", Address: "ci:0"}, []string{"address: must be the host:port"}},
		"any as address":  {Options{Listen: ":80", Address: "0.0.0.0:80"}, []string{"address: must be the host:port"}},
		"half a key pair": {Options{Listen: "127.0.0.1:0", KeyFile: "x"}, []string{"certificate_file: goes with key_file"}},
		"good":            {Options{Listen: ":80", Address: "ci.example.org:80", CertificateFile: "c", KeyFile: "k"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			mistakes := test.options.Mistakes()
			require.Len(t, mistakes, len(test.want))
			for i, want := range test.want {
				assert.ErrorContains(t, mistakes[i], want)
			}
		})
	}
}
