package payloads

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

func TestAsk(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("another host was asked")
	}))
	defer elsewhere.Close()
	mux := http.NewServeMux()
	linked := func(w http.ResponseWriter, size string) {
		w.Header().Set("X-Linked-Etag", `"`+a256+`"`)
		w.Header().Set("X-Linked-Size", size)
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(http.StatusFound)
	}
	text := func(code int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = w.Write([]byte(body))
		}
	}
	mux.HandleFunc("/model", func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer token", r.Header.Get("Authorization"))
		assert.Equal(t, http.MethodHead, r.Method, "the file is not asked for")
		linked(w, "12345")
	})
	mux.Handle("/renamed", http.RedirectHandler("/model", http.StatusTemporaryRedirect))
	mux.HandleFunc("/odd-size", func(w http.ResponseWriter, _ *http.Request) { linked(w, "many") })
	mux.HandleFunc("/etag-of-git", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Linked-Etag", `"0123456789abcdef0123456789abcdef01234567"`)
	})
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	mux.HandleFunc("/busy", text(http.StatusServiceUnavailable, ""))
	mux.HandleFunc("/gated", text(http.StatusForbidden, ""))
	for _, code := range []int{http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusInternalServerError, http.StatusNotImplemented} {
		mux.HandleFunc("HEAD /head/"+strconv.Itoa(code), text(code, ""))
		mux.HandleFunc("GET /head/"+strconv.Itoa(code), text(http.StatusOK, "12345678"))
	}
	mux.HandleFunc("HEAD /head/hangs-up", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	mux.HandleFunc("GET /head/hangs-up", func(w http.ResponseWriter, _ *http.Request) { linked(w, "12345") })
	mux.HandleFunc("/no-method", text(http.StatusMethodNotAllowed, ""))
	mux.HandleFunc("/img/disk", text(http.StatusOK, "12345678"))
	mux.HandleFunc("/img/SHA256SUMS", text(http.StatusOK, a256+"  disk\n"))
	mux.HandleFunc("/sha512/disk", text(http.StatusOK, "12345678"))
	mux.HandleFunc("/sha512/SHA512SUMS", text(http.StatusOK, a512+"  disk\n"))
	mux.HandleFunc("/alone/disk", text(http.StatusOK, "12345678"))
	mux.HandleFunc("/broken/disk", text(http.StatusOK, "12345678"))
	mux.HandleFunc("/broken/SHA256SUMS", text(http.StatusInternalServerError, ""))
	mux.HandleFunc("/long/disk", text(http.StatusOK, "12345678"))
	mux.HandleFunc("/long/SHA256SUMS", text(http.StatusOK, a256+"  disk\n"+strings.Repeat("x", 1<<20)))
	mux.HandleFunc("/bsd/disk", text(http.StatusOK, "12345678"))
	mux.HandleFunc("/bsd/SHA256SUMS", text(http.StatusOK, "SHA256 (./disk) = "+a256+"\r\n"))
	mux.HandleFunc("/two/disk", text(http.StatusOK, "12345678"))
	mux.HandleFunc("/two/SHA256SUMS", text(http.StatusOK, a256+"\tdisk\n"+b256+" *disk\n"))
	mux.HandleFunc("/moved/disk", text(http.StatusOK, "12345678"))
	mux.HandleFunc("/moved/SHA256SUMS", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "ftp://example.org/SHA256SUMS")
		w.WriteHeader(http.StatusFound)
	})
	server := httptest.NewServer(mux)
	defer server.Close()

	byHeader := told{sha256: a256, size: 12345, by: "the header X-Linked-Etag"}
	for name, test := range map[string]struct {
		kind, path string
		want       told
		wrong      string
	}{
		"a linked file":                   {lockfile.KindModel, "/model", byHeader, ""},
		"a linked file that was renamed":  {lockfile.KindModel, "/renamed", byHeader, ""},
		"a size that is none":             {lockfile.KindModel, "/odd-size", told{sha256: a256, by: byHeader.by}, ""},
		"a small file of Git":             {lockfile.KindModel, "/etag-of-git", told{}, ""},
		"a redirect without an end":       {lockfile.KindModel, "/loop", told{}, ""},
		"busy":                            {lockfile.KindModel, "/busy", told{}, "503 Service Unavailable: try again later"},
		"gated":                           {lockfile.KindModel, "/gated", told{}, "403 Forbidden: check the address, and whether it wants a token"},
		"not there":                       {lockfile.KindModel, "/none", told{}, "404 Not Found"},
		"HEAD is forbidden":               {lockfile.KindModel, "/head/403", told{size: 8}, ""},
		"HEAD finds nothing":              {lockfile.KindModel, "/head/404", told{size: 8}, ""},
		"HEAD is not allowed":             {lockfile.KindModel, "/head/405", told{size: 8}, ""},
		"HEAD breaks the server":          {lockfile.KindModel, "/head/500", told{size: 8}, ""},
		"HEAD is not implemented":         {lockfile.KindModel, "/head/501", told{size: 8}, ""},
		"HEAD is not answered":            {lockfile.KindModel, "/head/hangs-up", byHeader, ""},
		"GET is not allowed either":       {lockfile.KindModel, "/no-method", told{}, "405 Method Not Allowed: check the address"},
		"a list":                          {lockfile.KindBaseImage, "/img/disk", told{sha256: a256, size: 8, by: "SHA256SUMS"}, ""},
		"a list of SHA-512":               {lockfile.KindBaseImage, "/sha512/disk", told{sha512: a512, size: 8, by: "SHA512SUMS"}, ""},
		"no list":                         {lockfile.KindBaseImage, "/alone/disk", told{size: 8}, ""},
		"a list that cannot be had":       {lockfile.KindBaseImage, "/broken/disk", told{}, "SHA256SUMS: "},
		"a list that is none":             {lockfile.KindBaseImage, "/long/disk", told{}, "SHA256SUMS: it is no list of digests: it has more than 1048576 bytes"},
		"a list of BSD":                   {lockfile.KindBaseImage, "/bsd/disk", told{sha256: a256, size: 8, by: "SHA256SUMS"}, ""},
		"a list with two digests":         {lockfile.KindBaseImage, "/two/disk", told{}, "SHA256SUMS, beside it: it has two different digests for disk"},
		"a list that is elsewhere":        {lockfile.KindBaseImage, "/moved/disk", told{}, "SHA256SUMS: the server redirects from http to ftp"},
		"a list is not asked for a model": {lockfile.KindModel, "/img/disk", told{size: 8}, ""},
		"a list is not asked for a .deb":  {lockfile.KindContextPackage, "/img/disk", told{size: 8}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			input := lockfile.Input{Kind: test.kind, Version: "v1", Source: server.URL + test.path}
			answer, err := newPublisher().ask(t.Context(), input, "token")
			if test.wrong != "" {
				require.ErrorContains(t, err, test.wrong)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, answer)
		})
	}
}

func TestATokenIsNotSentInClearText(t *testing.T) {
	input := lockfile.Input{Kind: lockfile.KindModel, Source: "http://model.invalid/m.gguf"}
	_, err := newPublisher().ask(t.Context(), input, "token")
	assert.EqualError(t, err, "the token would cross the network in clear text: use https")
}

func TestSameServer(t *testing.T) {
	at := func(address string) *url.URL {
		u, err := url.Parse(address)
		require.NoError(t, err)
		return u
	}
	assert.True(t, sameServer(at("https://a/x"), at("https://a/y")))
	for _, other := range []string{"http://a/x", "https://a:8443/x", "https://b/x", "https://sub.a/x"} {
		assert.False(t, sameServer(at("https://a/x"), at(other)), other)
	}
}
