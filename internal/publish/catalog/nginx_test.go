package catalog

import (
	"bytes"
	"crypto/md5"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/nginxtest"
)

// serve runs nginx until the test ends. It reads the site of a catalog from where that is,
// as a web server does that has a link to it.
func serve(t *testing.T, site, address string) {
	t.Helper()
	nginxtest.Run(t, fmt.Appendf(nil, "include %q;", site), address)
}

// oned's driver follows no redirect, so neither does this client.
var driver = &http.Client{
	Timeout:       30 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

func get(t *testing.T, url string, header ...string) (*http.Response, []byte) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Header.Set("User-Agent", "OpenNebula 7.0.0")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := driver.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, body
}

// The requests are those that a front-end's "one" driver and its downloader make.
func TestNginxServesTheCatalogToOpenNebula(t *testing.T) {
	address := nginxtest.FreeAddress(t)
	endpoint := "http://" + address
	dir := filepath.Join(t.TempDir(), "the market")
	img := newImage(t, t.TempDir(), 5<<20)
	publishAt(t, dir, endpoint, "1.0.0", img)
	serve(t, filepath.Join(dir, siteFile), address)

	response, body := get(t, endpoint+"//appliance")
	require.Equal(t, http.StatusOK, response.StatusCode, "a redirect would not be followed")
	assert.Equal(t, "application/json", response.Header.Get("Content-Type"))
	var served struct {
		Appliances []Entry `json:"appliances"`
	}
	require.NoError(t, json.Unmarshal(body, &served))
	require.Len(t, served.Appliances, 1)
	entry := served.Appliances[0]
	link := endpoint + "/appliance/" + entry.ID.OID
	download := link + "/download/0"

	t.Run("the app", func(t *testing.T) {
		for _, url := range []string{link, endpoint + "//appliance/" + entry.ID.OID} {
			response, body := get(t, url)
			require.Equal(t, http.StatusOK, response.StatusCode)
			assert.Equal(t, "application/json", response.Header.Get("Content-Type"))
			var alone Entry
			require.NoError(t, json.Unmarshal(body, &alone))
			assert.Equal(t, entry, alone)
		}
	})
	t.Run("the download has the digest of the list", func(t *testing.T) {
		curl := exec.CommandContext(t.Context(), "curl", "--fail", "-sS", "-k", "-L", download)
		content, err := curl.Output()
		require.NoError(t, err, "curl is missing or failed: run make setup")
		sum := md5.Sum(content)
		assert.Equal(t, entry.Files[0].MD5, hex.EncodeToString(sum[:]))
		assert.Equal(t, img.manifest.MD5, entry.Files[0].MD5)
	})
	t.Run("the url of the image", func(t *testing.T) {
		response, body := get(t, entry.Files[0].URL)
		require.Equal(t, http.StatusOK, response.StatusCode)
		assert.Len(t, body, 5<<20)
	})
	t.Run("an aborted download is stood", func(t *testing.T) {
		// The front-end reads the head of an image and closes the connection.
		for range 5 {
			response, err := driver.Get(download)
			require.NoError(t, err)
			_, err = io.CopyN(io.Discard, response.Body, 65536)
			require.NoError(t, err)
			require.NoError(t, response.Body.Close())
		}
		response, body := get(t, download)
		assert.Equal(t, http.StatusOK, response.StatusCode)
		assert.Len(t, body, 5<<20)
	})
	t.Run("ranges and lengths", func(t *testing.T) {
		response, body := get(t, download, "Range", "bytes=100-199")
		assert.Equal(t, http.StatusPartialContent, response.StatusCode)
		assert.Equal(t, "bytes 100-199/"+strconv.Itoa(5<<20), response.Header.Get("Content-Range"))
		content, err := os.ReadFile(img.path)
		require.NoError(t, err)
		assert.Equal(t, content[100:200], body)

		head, err := driver.Head(download)
		require.NoError(t, err)
		require.NoError(t, head.Body.Close())
		assert.EqualValues(t, 5<<20, head.ContentLength)
	})
	t.Run("heads", func(t *testing.T) {
		for _, path := range []string{"//appliance", "/appliance/" + entry.ID.OID, "/SHA256SUMS"} {
			request, err := http.NewRequestWithContext(t.Context(), http.MethodHead, endpoint+path, nil)
			require.NoError(t, err)
			request.Header.Set("User-Agent", "OpenNebula 7.4.0 EE (Market Driver)")
			head, err := driver.Do(request)
			require.NoError(t, err)
			require.NoError(t, head.Body.Close())
			assert.Equal(t, http.StatusOK, head.StatusCode, path)
			assert.Positive(t, head.ContentLength, path)
		}
	})
	t.Run("the digests are those of what is served", func(t *testing.T) {
		response, sums := get(t, endpoint+"/SHA256SUMS")
		require.Equal(t, http.StatusOK, response.StatusCode)
		assert.Equal(t, "text/plain", response.Header.Get("Content-Type"))
		response, _ = get(t, endpoint+"/SHA256SUMS.minisig")
		assert.Equal(t, http.StatusNotFound, response.StatusCode, "it is not signed")

		into := t.TempDir()
		_, list := get(t, endpoint+"//appliance")
		_, content := get(t, entry.Files[0].URL)
		require.NoError(t, os.Mkdir(filepath.Join(into, imagesDir), 0o755))
		for name, content := range map[string][]byte{sumsFile: sums, listFile: list, "images/" + entry.image(): content} {
			require.NoError(t, os.WriteFile(filepath.Join(into, name), content, 0o600))
		}
		assert.Len(t, checkSums(t, into), 2)
	})
	t.Run("nothing else", func(t *testing.T) {
		for _, path := range []string{
			"/", "/nginx.conf", "/.lock", "/appliances.json", "/appliance/", "/images/", "/appliance/" + idA,
			"/appliance/" + idA + "/download/0", "/appliance/" + entry.ID.OID + "/download/1", "/appliance/" + entry.ID.OID + "/",
			"/lists/current/appliances.json", "/SHA256SUMS.x", "/images/SHA256SUMS",
			"/images/x.qcow2" + partial, "/images/..%2fnginx.conf",
		} {
			response, _ := get(t, endpoint+path)
			assert.Equal(t, http.StatusNotFound, response.StatusCode, path)
		}
	})
	t.Run("a new version needs no reload", func(t *testing.T) {
		publishAt(t, dir, endpoint, "1.1.0", newImage(t, t.TempDir(), 100))
		_, body := get(t, endpoint+"//appliance")
		require.NoError(t, json.Unmarshal(body, &served))
		require.Len(t, served.Appliances, 2)
		for _, app := range served.Appliances {
			response, content := get(t, endpoint+"/appliance/"+app.ID.OID+"/download/0")
			require.Equal(t, http.StatusOK, response.StatusCode)
			sum := md5.Sum(content)
			assert.Equal(t, app.Files[0].MD5, hex.EncodeToString(sum[:]))
		}
	})
}

// Whoever asks while versions come and go is never told that there is nothing.
func TestNginxServesWhileVersionsArePublished(t *testing.T) {
	address := nginxtest.FreeAddress(t)
	dir := filepath.Join(t.TempDir(), "market")
	key, public := newKey(t)
	publishSet(t, dir, "1.0.0", newSet(t), Options{SigningKey: key})
	site, err := renderSite(dir, baseURL(t, "http://"+address))
	require.NoError(t, err)
	adapted := filepath.Join(t.TempDir(), "nginx.conf")
	require.NoError(t, os.WriteFile(adapted, site, 0o600))
	serve(t, adapted, address)

	done := make(chan struct{})
	published := make(chan int)
	go func() {
		asked := 0
		defer func() { published <- asked }()
		for {
			select {
			case <-done:
				return
			default:
			}
			for _, path := range []string{"//appliance", "/SHA256SUMS", "/SHA256SUMS.minisig"} {
				response, err := driver.Get("http://" + address + path)
				if assert.NoError(t, err) {
					_ = response.Body.Close()
					assert.Equal(t, http.StatusOK, response.StatusCode, path)
				}
				asked++
			}
		}
	}()
	for i := range 10 {
		publishSet(t, dir, fmt.Sprint("1.1.", i), newSet(t), Options{KeepVersions: 2, SigningKey: key})
	}
	close(done)
	assert.Greater(t, <-published, 10)
	checkWhole(t, dir, public)
}

func TestNginxServesTheCatalogOverTLS(t *testing.T) {
	address := nginxtest.FreeAddress(t)
	dir := filepath.Join(t.TempDir(), "market")
	publishAt(t, dir, "https://"+address, "1.0.0", newImage(t, t.TempDir(), 100))
	site, err := os.ReadFile(filepath.Join(dir, siteFile))
	require.NoError(t, err)

	// The certificate of a test server, in the place of certbot's.
	server := httptest.NewTLSServer(nil)
	t.Cleanup(server.Close)
	certificate := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{
		"fullchain.pem": {Type: "CERTIFICATE", Bytes: certificate.Certificate[0]},
		"privkey.pem":   {Type: "PRIVATE KEY", Bytes: key},
	} {
		file := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(block), 0o600))
		site = bytes.ReplaceAll(site, []byte("/etc/letsencrypt/live/127.0.0.1/"+name), []byte(file))
	}
	adapted := filepath.Join(t.TempDir(), "nginx.conf")
	require.NoError(t, os.WriteFile(adapted, site, 0o600))
	serve(t, adapted, address)

	response, err := server.Client().Get("https://" + address + "//appliance")
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

func publishAt(t *testing.T, dir, endpoint, version string, img image) {
	t.Helper()
	c, err := Open(t.Context(), dir, baseURL(t, endpoint), silent)
	require.NoError(t, err)
	entry := newEntry(t, c, version, img)
	require.NoError(t, c.PlaceImage(t.Context(), entry, img.path, img.manifest.FileSize, nil))
	require.NoError(t, c.WriteApp(entry))
	require.NoError(t, c.Publish([]Entry{entry}, Options{}))
	require.NoError(t, c.Close())
}
