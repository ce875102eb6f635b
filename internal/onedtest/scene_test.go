package onedtest

import (
	"bytes"
	"compress/gzip"
	"crypto/md5"
	"crypto/sha1"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// scene is a double with files and URLs in place of those of the recorded front-end.
type scene struct {
	*testing.T
	oned *Oned
	held bool
	// root is before the paths of the recordings.
	root string
	// names are what stands in the recordings and what stands for it here.
	names []string
}

func disk(megabytes, length int) []byte {
	content := make([]byte, length)
	random := rand.NewChaCha8([32]byte{byte(megabytes)})
	_, _ = random.Read(content)
	copy(content, "QFI\xfb\x00\x00\x00\x03")
	binary.BigEndian.PutUint64(content[24:], uint64(megabytes)<<20)
	return content
}

func packed(t *testing.T, content []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

func md5Of(content []byte) string {
	sum := md5.Sum(content)
	return hex.EncodeToString(sum[:])
}

func newScene(t *testing.T, version string) *scene {
	t.Helper()
	a, big, raw := disk(32, 1<<20), disk(800, 1<<18), make([]byte, 32<<20)
	files := map[string][]byte{
		"a.qcow2": a, "a b.qcow2": a, "half.qcow2": a[:1<<19], "big.qcow2": big, "huge.qcow2": disk(500<<20, 1<<17), "notes.txt": []byte("notes"),
		"r.raw": raw, "a.qcow2.gz": packed(t, a), "r.raw.gz": packed(t, raw[:1<<20]),
	}
	s := &scene{T: t, oned: Start(t, version), root: t.TempDir()}
	for _, directory := range []string{"var/tmp/one-pub", "var/tmpevil", "usr/share/one-restricted"} {
		require.NoError(t, os.MkdirAll(filepath.Join(s.root, directory), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(s.root, directory, "a.qcow2"), a, 0o644))
	}
	for name, content := range files {
		require.NoError(t, os.WriteFile(filepath.Join(s.root, "var/tmp/one-pub", name), content, 0o644))
	}
	server := httptest.NewServer(sources(files))
	t.Cleanup(server.Close)
	sum1 := sha1.Sum(a)
	s.names = []string{
		"127.0.0.1:18080", strings.TrimPrefix(server.URL, "http://"),
		"8b8b48348c76ac5b3e5ee2bd9c6e59f7", md5Of(a), "8B8B48348C76AC5B3E5EE2BD9C6E59F7", strings.ToUpper(md5Of(a)),
		"e6289388b971602a0642cae505193cbf9d4b6fdf", hex.EncodeToString(sum1[:]), "bd209f469ff2449849e4ccab6c82cd6e", md5Of(files["a.qcow2.gz"]),
		"6f73c737d8dca8b95151f66ec2195438", md5Of(big), "12363b25ead0f3e7ea64aeb69f11ec3f", md5Of(raw),
	}
	s.oned.set(func() {
		o := s.oned
		o.copying = 0
		// The recording began with the marketplaces that every front-end has.
		o.objects[kindMarketplace], o.objects[kindDatastore] = nil, nil
		o.addDatastores(s.root + "/var/tmp")
		for _, name := range []string{"OpenNebula Public", "Linux Containers"} {
			o.next[kindMarketplace] = len(o.objects[kindMarketplace])
			o.addMarketplace(0, name, nil).Permissions = [9]int{1, 1, 1, 1, 0, 0, 1}
		}
		o.find(kindMarketplace, 0).Template = content("DESCRIPTION", "OpenNebula Systems MarketPlace", "MARKET_MAD", "one")
		linux := o.find(kindMarketplace, 1)
		linux.State = 1
		linux.Template = content("DESCRIPTION", "MarketPlace for the public image server fo LXC & LXD hosted at linuxcontainers.org", "MARKET_MAD", "linuxcontainers")
		o.next[kindMarketplace] = 100
	})
	s.oned.SetFree(63324, 0)
	return s
}

// sources is what the recorded front-end got images from.
func sources(files map[string][]byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		way, name := filepath.Split(r.URL.Path)
		content, found := files[name]
		switch way {
		case "/redirect/":
			http.Redirect(w, r, "/"+name, http.StatusFound)
			return
		case "/basic/":
			if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
		case "/status/":
			w.WriteHeader(http.StatusInternalServerError)
			return
		case "/chunked/":
			_ = http.NewResponseController(w).Flush()
			_, _ = w.Write(content)
			return
		case "/cut/":
			w.Header().Set("Content-Length", "1048576")
			_, _ = w.Write(content[:1<<17])
			panic(http.ErrAbortHandler)
		}
		if !found {
			http.NotFound(w, r)
			return
		}
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	})
}

// localPath begins where a template names a path of the front-end, in XML within XML.
var localPath = regexp.MustCompile(`(&#34;|&gt;)/(var|usr)/`)

// here puts what is here in place of what was there, there does the opposite.
func (s *scene) here(text string) string {
	return strings.NewReplacer(s.names...).Replace(localPath.ReplaceAllString(text, "${1}"+s.root+"/${2}/"))
}

func (s *scene) there(text string) string {
	var back []string
	for i := 0; i < len(s.names); i += 2 {
		back = append(back, s.names[i+1], s.names[i])
	}
	return strings.NewReplacer(append(back, s.root, "")...).Replace(text)
}

// settled waits until nothing is read any more, and everything has become what it becomes.
func (s *scene) settled() {
	s.Helper()
	require.Eventually(s, func() bool {
		images, apps := s.oned.Images(), s.oned.Apps()
		for _, object := range append(images, apps...) {
			isLocked := object.Kind == kindImage && object.State == imageLocked || object.Kind == kindApp && object.State == appLocked
			if isLocked || object.then != nil {
				return false
			}
		}
		return true
	}, 20*time.Second, time.Millisecond)
}

// call makes what the recording has not.
func (s *scene) call(session, method, template string, place ...int) {
	s.Helper()
	c := call{Method: method}
	for _, text := range []string{session, s.here(template)} {
		p := param{}
		p.Value.String = &text
		c.Params = append(c.Params, p)
	}
	for _, id := range place {
		text, p := strconv.Itoa(id), param{}
		p.Value.Int = &text
		c.Params = append(c.Params, p)
	}
	require.Contains(s, s.oned.answer(c), "<boolean>1</boolean>", template)
}
