package transfer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func image(size int64) File {
	return File{Path: "/build/out/slm copilot.qcow2", Name: "slm-copilot-0123.qcow2", Size: size}
}

func TestMistakesOfLocations(t *testing.T) {
	for location, want := range map[string]string{
		"/var/tmp/image.qcow2":              "",
		"/var/tmp/":                         "",
		"https://user:pw@example.org/x?y=z": "",
		"":                                  "must be an http(s) URL or an absolute path",
		"image.qcow2":                       "must be an http(s) URL or an absolute path",
		"ftp://example.org/x":               "must be an http(s) URL or an absolute path",
		"https:///x":                        "must be an http(s) URL or an absolute path",
		"https://geheim%zz@x/":              "must be an http(s) URL or an absolute path",
		"https://example.org/x#y":           "must not have a fragment: it is never sent to a server",
		"/":                                 "must name a file or a directory",
		"/var//tmp/../x":                    `must be a path without ".", ".." and empty elements`,
		"/var/./x\n\"":                      "must not hold quotation marks, backslashes or control characters; " + `must be a path without ".", ".." and empty elements`,
	} {
		assert.Equal(t, want, Listed(Hosted{location}.Mistakes()), location)
	}
}

func TestSendTellsWhereItLies(t *testing.T) {
	for location, want := range map[string]string{
		"/srv/a.qcow2":                    "/srv/a.qcow2",
		"/srv/":                           "/srv/slm copilot.qcow2",
		"/srv/a?b/":                       "/srv/a?b/slm copilot.qcow2",
		"http://example.org/a.qcow2?b=/":  "http://example.org/a.qcow2?b=/",
		"http://u:p@example.org/a%20/?b=": "http://u:p@example.org/a%20/slm%20copilot.qcow2?b=",
		"http://example.org/":             "http://example.org/slm%20copilot.qcow2",
	} {
		got, err := Hosted{location}.Send(t.Context(), image(1), nil)
		require.NoError(t, err)
		assert.Equal(t, want, got)
	}
}

func TestLocalIsWhereTheFileReallyIs(t *testing.T) {
	directory, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(directory, "a.qcow2"), []byte("1"), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(directory, "other.qcow2"), []byte("another"), 0o600))
	require.NoError(t, os.Symlink(directory, filepath.Join(directory, "link")))
	for location, want := range map[string]string{
		filepath.Join(directory, "link/a.qcow2"): filepath.Join(directory, "a.qcow2"),
		// What is here is not what is meant, so the links of this host say nothing.
		filepath.Join(directory, "link/other.qcow2"): filepath.Join(directory, "link/other.qcow2"),
		"/nowhere/a.qcow2":                           "/nowhere/a.qcow2",
		"/nowhere/":                                  "/nowhere/slm copilot.qcow2",
		"http://example.org/a.qcow2":                 "",
	} {
		assert.Equal(t, want, Hosted{location}.Local(image(1)), location)
	}
}

func TestCheckAsksTheServer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, http.MethodGet, r.Method, "a signed URL may be for GET alone")
		switch r.URL.Path {
		case "/images/slm copilot.qcow2":
			_, _ = w.Write([]byte("12345"))
		case "/moved":
			http.Redirect(w, r, "/images/slm%20copilot.qcow2", http.StatusFound)
		case "/mine":
			w.WriteHeader(http.StatusForbidden)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()
	for _, c := range []struct {
		path string
		size int64
		want string
	}{
		{"/images/?key=geheim", 5, ""},
		{"/moved", 5, ""},
		{"/mine", 5, ""},
		{"/images/?key=geheim", 6, "ask for " + server.URL + "/images/slm%20copilot.qcow2: there are 5 bytes, but slm copilot.qcow2 has 6: bring this build's image there, or name the right location"},
		{"/none?key=geheim", 5, "ask for " + server.URL + "/none: the server answered 404 Not Found: bring the image there first"},
	} {
		err := Hosted{server.URL + c.path}.Check(t.Context(), []File{image(c.size)})
		if c.want == "" {
			assert.NoError(t, err, c.path)
		} else {
			assert.EqualError(t, err, c.want)
		}
	}
}

func TestCheckWithoutAnAnswer(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	assert.NoError(t, Hosted{gone.URL + "/x"}.Check(t.Context(), []File{image(1)}))
	assert.NoError(t, Hosted{"/var/tmp/"}.Check(t.Context(), []File{image(1), image(2)}))

	err := Hosted{"\"/var/tmp/x"}.Check(t.Context(), []File{image(1), image(2)})
	assert.EqualError(t, err, "the location of the image must not hold quotation marks, backslashes or control characters; "+
		"must be an http(s) URL or an absolute path; must end in a slash, because there are 2 files")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	assert.ErrorIs(t, Hosted{gone.URL + "/x"}.Check(ctx, []File{image(1)}), context.Canceled)
}

func FuzzHosted(f *testing.F) {
	f.Add("/var/tmp/")
	f.Add("https://user:geheim@example.org/a/?b#c")
	f.Fuzz(func(t *testing.T, location string) {
		h := Hosted{location}
		if len(h.Mistakes()) > 0 {
			return
		}
		got := h.locate(image(1))
		if strings.ContainsAny(got, `"\`) || strings.ContainsFunc(got, unicode.IsControl) || strings.HasSuffix(got, "/") {
			t.Fatalf("%q gives %q", location, got)
		}
	})
}
