package builder

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// publisher serves base.qcow2 and its checksum list, and adds them to the catalogue during
// the test.
func publisher(t *testing.T, list func(image []byte) string) {
	t.Helper()
	image, err := os.ReadFile("base.qcow2")
	require.NoError(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/latest/base-amd64.qcow2":
			_, _ = w.Write(image)
		case "/latest/SUMS":
			_, _ = w.Write([]byte(list(image)))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(server.Close)
	catalogue["testos-1"] = listedImage{server.URL + "/latest/base-$arch.qcow2", "SUMS"}
	t.Cleanup(func() { delete(catalogue, "testos-1") })
}

func fetchBase(t *testing.T, ctx context.Context, block map[string]any) (*build, string, error) {
	t.Helper()
	block["disk_size"] = "16M"
	work := newBuild(decoded(t, block), quiet())
	cache, err := packersdk.CachePath(appliance.Name)
	require.NoError(t, err)
	var said []string
	say := func(line string) { said = append(said, line) }
	err = (&stepFetch{work}).fetchBase(ctx, fetch.New(cache, say), say)
	return work, strings.Join(said, "\n"), err
}

func TestACatalogueImageIsHeldToItsPublishersList(t *testing.T) {
	sum256 := func(image []byte) string {
		sum := sha256.Sum256(image)
		return hex.EncodeToString(sum[:]) + " *base-amd64.qcow2\n"
	}
	sum512 := func(image []byte) string {
		sum := sha512.Sum512(image)
		return hex.EncodeToString(sum[:]) + "  base-amd64.qcow2\n"
	}
	wrong := func(list func([]byte) string) func([]byte) string {
		return func([]byte) string { return list([]byte("another")) }
	}
	tests := map[string]struct {
		list func([]byte) string
		want string
	}{
		"SHA-256":        {sum256, ""},
		"SHA-512":        {sum512, ""},
		"SHA-256, wrong": {wrong(sum256), "base_image_checksum: "},
		"SHA-512, wrong": {wrong(sum512), "what was downloaded has SHA-512"},
		"BSD":            {func(image []byte) string { return "SHA256 (./base-amd64.qcow2) = " + sum256(image)[:64] + "\r\n" }, ""},
		"two digests":    {func(image []byte) string { return sum256(image) + sum256(nil) }, "SUMS: it has two different digests for base-amd64.qcow2"},
		"cut":            {func(image []byte) string { return sum256(image) + strings.Repeat("x", 1<<20) }, "it is no list of digests: it has more than 1048576 bytes"},
		"no entry":       {func([]byte) string { return "" }, "SUMS: it has no entry for base-amd64.qcow2"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			inWorkplace(t)
			publisher(t, test.list)
			work, said, err := fetchBase(t, t.Context(), map[string]any{"base_image": "testos-1", "allow_unpinned": true})
			if test.want != "" {
				assert.ErrorContains(t, inTheTemplatesWords(err), test.want)
				return
			}
			require.NoError(t, err)
			image, err := os.ReadFile("base.qcow2")
			require.NoError(t, err)
			sum := sha256.Sum256(image)
			digest := "sha256:" + hex.EncodeToString(sum[:])
			assert.Equal(t, digest, work.baseInput.Digest)
			assert.Equal(t, int64(len(image)), work.baseInput.Size)
			assert.Equal(t, "testos-1", work.baseInput.Name)
			assert.Contains(t, said, "pinned by nothing but its publisher's list of today; it has "+digest)
		})
	}
}

// A pinned image does not need the checksum list, which may no longer exist.
func TestAPinnedCatalogueImageNeedsNoList(t *testing.T) {
	inWorkplace(t)
	publisher(t, func([]byte) string { return "" })
	image, err := os.ReadFile("base.qcow2")
	require.NoError(t, err)
	sum := sha256.Sum256(image)
	block := map[string]any{"base_image": "testos-1", "base_image_checksum": "sha256:" + hex.EncodeToString(sum[:])}
	work, said, err := fetchBase(t, t.Context(), block)
	require.NoError(t, err)
	assert.NotContains(t, said, "Warning")
	// Files in the cache, which the provisioner shares, are named by their digest.
	assert.Equal(t, hex.EncodeToString(sum[:]), filepath.Base(work.base))
}

func TestAPublisherThatIsAway(t *testing.T) {
	inWorkplace(t)
	server := httptest.NewServer(http.NotFoundHandler())
	catalogue["testos-1"] = listedImage{server.URL + "/latest/base-$arch.qcow2", "SUMS"}
	defer delete(catalogue, "testos-1")
	_, _, err := fetchBase(t, t.Context(), map[string]any{"base_image": "testos-1", "allow_unpinned": true})
	assert.ErrorContains(t, err, "the server answers 404 Not Found; pin the image with base_image_checksum or a lock file")

	server.Close()
	_, _, err = fetchBase(t, t.Context(), map[string]any{"base_image": "testos-1", "allow_unpinned": true})
	assert.ErrorContains(t, err, "connection refused")

	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("Ctrl-C"))
	_, _, err = fetchBase(t, ctx, map[string]any{"base_image": "testos-1", "allow_unpinned": true})
	assert.ErrorContains(t, err, "Ctrl-C")
}
