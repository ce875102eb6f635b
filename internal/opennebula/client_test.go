package opennebula

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	gocaerrors "github.com/OpenNebula/one/src/oca/go/src/goca/errors"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// replay answers every call with a recorded answer of a front-end (OpenNebula 7.0.0) and
// keeps the last request.
func replay(t *testing.T, recording string) (endpoint string, request *string) {
	answer := readTestdata(t, recording)
	request = new(string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		*request = string(body)
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(server.Close)
	return server.URL + "/RPC2", request
}

func readTestdata(t *testing.T, name string) string {
	content, err := os.ReadFile(filepath.Join("testdata", name))
	require.NoError(t, err)
	return string(content)
}

func newClient(t *testing.T, endpoint string) *Client {
	client, err := NewClient(endpoint, "user", "REDACTED", http.DefaultClient)
	require.NoError(t, err)
	return client
}

func TestVersionSendsAndReadsWhatAFrontEndDoes(t *testing.T) {
	endpoint, request := replay(t, "01-system-version.response.xml")
	version, err := newClient(t, endpoint).Version(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "7.0.0", version)
	assert.Equal(t, xmlTokens(t, readTestdata(t, "01-system-version.request.xml")), xmlTokens(t, *request))
}

func TestVersionWithBadCredentialsSaysSo(t *testing.T) {
	endpoint, _ := replay(t, "02-bad-credentials.response.xml")
	_, err := newClient(t, endpoint).Version(t.Context())
	var refused *gocaerrors.ResponseError
	require.ErrorAs(t, err, &refused)
	assert.EqualValues(t, 0x0100, refused.Code)
	assert.ErrorContains(t, err, "ask "+endpoint+" for its version: ")
	assert.ErrorContains(t, err, "User couldn't be authenticated")
	assert.NotContains(t, err.Error(), "REDACTED", "the password stays out of messages")
}

func TestVersionReportsAFault(t *testing.T) {
	endpoint, _ := replay(t, "05-unknown-method.response.xml")
	_, err := newClient(t, endpoint).Version(t.Context())
	assert.ErrorContains(t, err, "Method 'one.nosuch.method' not defined")
}

func TestVersionStopsWithItsContext(t *testing.T) {
	endpoint, _ := replay(t, "01-system-version.response.xml")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := newClient(t, endpoint).Version(ctx)
	assert.ErrorIs(t, err, context.Canceled)
}

func TestNewClientListsEveryMistakeInsteadOfEndingTheProcess(t *testing.T) {
	_, err := NewClient("", "", "", http.DefaultClient)
	require.Error(t, err)
	assert.Equal(t, strings.Join([]string{
		`endpoint: must be an http(s) URL without credentials such as "https://one.example.org:2633/RPC2"`,
		"user: must not be empty",
		"password: must not be empty",
	}, "\n"), err.Error())
}

func TestNewClientRefusesEndpoints(t *testing.T) {
	for name, endpoint := range map[string]string{
		"no scheme":      "one.example.org:2633/RPC2",
		"another scheme": "ftp://one.example.org/RPC2",
		"no host":        "https:///RPC2",
		"only a port":    "http://:2633/RPC2",
		"credentials":    "https://user:hush@one.example.org/RPC2",
		"not a URL":      "http://[::1",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewClient(endpoint, "user", "password", http.DefaultClient)
			require.ErrorContains(t, err, "endpoint: must be an http(s) URL")
			assert.NotContains(t, err.Error(), "hush")
		})
	}
}

// xmlTokens is a document without the blanks that mean nothing.
func xmlTokens(t *testing.T, document string) []string {
	decoder := xml.NewDecoder(strings.NewReader(document))
	var tokens []string
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return tokens
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			tokens = append(tokens, "<"+token.Name.Local+">")
		case xml.CharData:
			if text := strings.TrimSpace(string(token)); text != "" {
				tokens = append(tokens, text)
			}
		}
	}
}
