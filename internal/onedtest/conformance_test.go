package onedtest

import (
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// numbers of new objects depend on what was there before.
var newID = regexp.MustCompile(`(<boolean>1</boolean></value>\r\n<value><i4>)[0-9]+`)

// TestAnswersAreThoseOfTheRecordings sends recorded requests and compares the answers with
// those of a real front-end, byte for byte but for the numbers of new objects.
func TestAnswersAreThoseOfTheRecordings(t *testing.T) {
	source := filepath.Join(t.TempDir(), "a.qcow2")
	require.NoError(t, os.WriteFile(source, []byte("raw"), 0o644))
	recordings, err := filepath.Glob("testdata/*/*.request.xml")
	require.NoError(t, err)
	require.Greater(t, len(recordings), 20)
	for _, recording := range recordings {
		version := filepath.Base(filepath.Dir(recording))
		t.Run(version+"/"+strings.TrimSuffix(filepath.Base(recording), ".request.xml"), func(t *testing.T) {
			oned := Start(t, version)
			oned.set(func() {
				oned.add(&Object{Kind: kindImage, Name: "origin", State: 1, MD5: "0"})
				oned.objects[kindImage][0].ID = 48
			})
			request, err := os.ReadFile(recording)
			require.NoError(t, err)
			body := string(request)
			if !strings.Contains(recording, "bad-credentials") {
				body = strings.Replace(body, "user:REDACTED", User+":"+Password, 1)
			}
			body = strings.Replace(body, "/var/tmp/one-pub/a.qcow2", source, 1)
			response, err := http.Post(oned.Endpoint(), "text/xml", strings.NewReader(body))
			require.NoError(t, err)
			defer response.Body.Close()
			got, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			want, err := os.ReadFile(strings.Replace(recording, ".request.", ".response.", 1))
			require.NoError(t, err)
			assert.Equal(t, http.StatusOK, response.StatusCode)
			assert.Equal(t, newID.ReplaceAllString(string(want), "${1}N"), newID.ReplaceAllString(string(got), "${1}N"))
		})
	}
}

func TestOtherRequests(t *testing.T) {
	oned := Start(t, "7.0.0")
	response, err := http.Get(oned.Endpoint())
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
	response, err = http.Post(oned.url+"/", "text/xml", nil)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
}
