package fetch

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTokenGoesToTheSourceAlone(t *testing.T) {
	for name, tt := range map[string]struct {
		// sameHost redirects within the server the token is for.
		sameHost bool
		want     string
	}{
		"redirect within the server":  {true, "Bearer geheim"},
		"redirect to another of them": {false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var seen []http.Header
			serve := func(w http.ResponseWriter, r *http.Request) {
				seen = append(seen, r.Header)
				whole(w, r)
			}
			other := httptest.NewServer(http.HandlerFunc(serve))
			defer other.Close()
			url, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
				assert.Equal(t, "Bearer geheim", r.Header.Get("Authorization"))
				if r.URL.Path != "/model.gguf" {
					serve(w, r)
					return
				}
				to := "/elsewhere"
				if !tt.sameHost {
					to = other.URL + to
				}
				http.Redirect(w, r, to+"?signature=geheim", http.StatusFound)
			})
			f, heard := newFetcher(t)
			_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url + "?key=geheim", Checksum: checksum(content), Token: "geheim"})
			require.NoError(t, err)
			require.Len(t, seen, 1)
			assert.Equal(t, tt.want, seen[0].Get("Authorization"))
			assert.Empty(t, seen[0].Get("Referer"))
			assert.NotContains(t, strings.Join(heard.lines, "\n"), "geheim")
		})
	}
}

func TestTokenIsNotSentInClearText(t *testing.T) {
	f, heard := newFetcher(t)
	_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: "http://user:geheim@models.example/m.gguf?geheim", Checksum: checksum(content), Token: "geheim"})
	assert.EqualError(t, err, "model.source: http://models.example/m.gguf: the token would cross the network in clear text: use https")
	assert.Empty(t, heard.lines)
	for host, want := range map[string]bool{"localhost": true, "127.0.0.1": true, "127.1.2.3": true, "::1": true, "10.0.0.1": false, "localhost.example": false, "": false} {
		assert.Equal(t, want, IsLoopback(host), host)
	}
}

func TestRefusals(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://127.0.0.1:1/model.gguf?geheim", http.StatusFound)
	}))
	defer secure.Close()
	url, requests := server(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/circle":
			http.Redirect(w, r, "/circle?geheim", http.StatusFound)
		case "/ftp", "/file", "/javascript":
			w.Header().Set("Location", strings.TrimPrefix(r.URL.Path, "/")+"://geheim/model.gguf")
			w.WriteHeader(http.StatusFound)
		case "/401":
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	base := strings.TrimSuffix(url, "/model.gguf")
	for name, tt := range map[string]struct {
		source, token, err string
		requests           int32
	}{
		"from https to http":  {secure.URL + "/m.gguf", "", "model.source: " + secure.URL + "/m.gguf: the server redirects from https to http, which proves nothing about the file", 0},
		"to a file":           {base + "/file?geheim", "", "model.source: " + base + "/file: the server redirects from http to file, which is not downloaded from", 1},
		"to ftp":              {base + "/ftp?geheim", "", "model.source: " + base + "/ftp: the server redirects from http to ftp, which is not downloaded from", 1},
		"to a script":         {base + "/javascript?geheim", "", "model.source: " + base + "/javascript: the server redirects from http to javascript, which is not downloaded from", 1},
		"in circles":          {base + "/circle?geheim", "", "model.source: " + base + "/circle: the server redirects in circles", 10},
		"a token is needed":   {base + "/401?geheim", "", "model.source: " + base + "/401: the server answered 401 Unauthorized: it wants a login: give a token that may read the file, or use another source", 1},
		"the token is no use": {base + "/401?geheim", "geheim", "model.source: " + base + "/401: the server answered 401 Unauthorized: it does not accept the token for this file: check that the token is valid, and that its owner was granted access (gated models want their terms accepted first)", 1},
		"no host":             {"https:///m.gguf", "", "model.source: must be a path or an http(s) URL", 0},
		"no URL":              {"http://[geheim", "", "model.source: must be a path or an http(s) URL", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, heard := newFetcher(t)
			f.client.Transport = secure.Client().Transport
			requests.Store(0)
			_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: tt.source, Checksum: checksum(content), Token: tt.token})
			require.EqualError(t, err, tt.err)
			assert.Equal(t, tt.requests, requests.Load())
			assert.NotContains(t, err.Error()+strings.Join(heard.lines, ""), "geheim")
			assert.Empty(t, filesIn(t, f.cacheDir))
		})
	}
}

func TestEncodingIsNotAskedFor(t *testing.T) {
	f, _ := newFetcher(t)
	url, _ := server(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Accept-Encoding"))
		fmt.Fprint(w, content)
	})
	_, err := f.Fetch(t.Context(), Payload{Field: "model", Source: url, Checksum: checksum(content)})
	require.NoError(t, err)
}
