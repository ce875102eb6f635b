package onedtest

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// send makes a call with a user's session and returns the answer.
func send(t *testing.T, o *Oned, session, method string, params ...any) string {
	t.Helper()
	answer, err := trySend(o, session, method, params...)
	require.NoError(t, err)
	return answer
}

func trySend(o *Oned, session, method string, params ...any) (string, error) {
	body := "<methodCall><methodName>" + method + "</methodName><params><param><value><string>" + session + "</string></value></param>"
	for _, p := range params {
		switch p := p.(type) {
		case int:
			body += fmt.Sprintf("<param><value><i4>%d</i4></value></param>", p)
		case bool:
			body += fmt.Sprintf("<param><value><boolean>%d</boolean></value></param>", map[bool]int{true: 1}[p])
		default:
			body += fmt.Sprintf("<param><value><string>%s</string></value></param>", escape(fmt.Sprint(p)))
		}
	}
	response, err := http.Post(o.Endpoint(), "text/xml", strings.NewReader(body+"</params></methodCall>"))
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var b strings.Builder
	b.WriteString(response.Status + "\n")
	_, err = io.Copy(&b, response.Body)
	return b.String(), err
}

const publisher = User + ":" + Password

func TestFaults(t *testing.T) {
	o := Start(t, "7.0.0")
	const method, template = "one.template.allocate", "NAME=x"
	var seen []string
	o.OnCall(func(n int, method string) { seen = append(seen, fmt.Sprint(n, " ", method)) })

	o.FailCall(0, CutBefore)
	_, err := trySend(o, publisher, method, template)
	require.Error(t, err)
	assert.Empty(t, o.Templates())

	o.FailCall(1, LoseAnswer)
	_, err = trySend(o, publisher, method, template)
	require.Error(t, err)
	require.Len(t, o.Templates(), 1)
	assert.Equal(t, "x", o.Templates()[0].Name)

	o.FailCall(2, BadGateway)
	assert.Contains(t, send(t, o, publisher, "one.system.version"), "502")
	o.FailCall(3, Slow)
	assert.Contains(t, send(t, o, publisher, "one.system.version"), "7.0.0")

	o.DownFrom(4)
	_, err = trySend(o, publisher, "one.system.version")
	require.Error(t, err)
	o.DownFrom(-1)
	assert.Contains(t, send(t, o, publisher, "one.system.version"), "7.0.0")
	o.OnCall(nil)
	assert.Equal(t, []string{method, method, "one.system.version", "one.system.version", "one.system.version", "one.system.version"}, o.Calls())
	assert.Equal(t, "1 "+method, seen[1])
}

func TestOtherPathsThanThatOfTheAPI(t *testing.T) {
	o := Start(t, "7.0.0")
	response, err := http.Post(strings.TrimSuffix(o.Endpoint(), "RPC2"), "text/xml", strings.NewReader(""))
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, http.StatusNotFound, response.StatusCode)
}

// The front-end asks a source seven times for one image, and hangs up six times.
func TestASourceIsAskedAsOftenAsAFrontEndAsks(t *testing.T) {
	var gets atomic.Int64
	content := disk(20, 1<<20)
	source := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		gets.Add(1)
		assert.Equal(t, http.MethodGet, r.Method)
		assert.Empty(t, r.Header.Get("Range"))
		_, _ = w.Write(content)
	}))
	t.Cleanup(source.Close)
	o := Start(t, "7.0.0")
	answer := send(t, o, publisher, "one.image.allocate", "NAME=x PATH="+source.URL, Datastore)
	require.Contains(t, answer, "<boolean>1</boolean>")
	require.Eventually(t, func() bool { return o.Images()[0].State == imageReady }, 10*time.Second, time.Millisecond)
	assert.EqualValues(t, 7, gets.Load())
	image := o.Images()[0]
	assert.Equal(t, md5Of(content), image.MD5)
	assert.Equal(t, "qcow2", image.Format)
	assert.EqualValues(t, 20, image.SizeMB)
}

func TestRights(t *testing.T) {
	o := Start(t, "7.0.0")
	const reader = Reader + ":" + ReaderPassword
	template := func(permissions ...int) {
		o.set(func() { copy(o.objects[kindTemplate][0].Permissions[:], permissions) })
	}
	require.Contains(t, send(t, o, publisher, "one.template.allocate", "NAME=x"), "<boolean>1</boolean>")
	assert.Contains(t, send(t, o, reader, "one.template.info", 0), "Not authorized to perform USE TEMPLATE [0].")
	assert.NotContains(t, send(t, o, reader, "one.templatepool.info", -2, -1, -1), "NAME")
	template(1, 1, 0, 1)
	assert.Contains(t, send(t, o, reader, "one.template.info", 0), "&lt;NAME&gt;x&lt;")
	assert.Contains(t, send(t, o, reader, "one.templatepool.info", -2, -1, -1), "&lt;NAME&gt;x&lt;")
	assert.NotContains(t, send(t, o, reader, "one.templatepool.info", -3, -1, -1), "NAME", "those of the caller alone")
	assert.Contains(t, send(t, o, publisher, "one.templatepool.info", -3, -1, -1), "&lt;NAME&gt;x&lt;")
	assert.Contains(t, send(t, o, reader, "one.template.delete", 0), "Not authorized to perform MANAGE TEMPLATE [0].")
	assert.Contains(t, send(t, o, reader, "one.marketapp.allocate", "NAME=x ORIGIN_ID=-1 TYPE=VMTEMPLATE", Marketplace), "Not authorized to perform CREATE MARKETPLACEAPP.")
	template(0, 0, 0)
	assert.Contains(t, send(t, o, publisher, "one.template.info", 0), "Not authorized to perform USE TEMPLATE [0].", "its owner has taken it from himself")
	assert.Contains(t, send(t, o, Admin+":"+AdminPassword, "one.template.delete", 0), "<boolean>1</boolean>")
	assert.Empty(t, o.Templates())
}

func TestPlacesOfFiles(t *testing.T) {
	directory := t.TempDir()
	outside := filepath.Join(directory, "outside")
	safe := filepath.Join(directory, "safe")
	for _, path := range []string{outside, safe} {
		require.NoError(t, os.Mkdir(path, 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(path, "x"), nil, 0o644))
	}
	require.NoError(t, os.Symlink(outside, filepath.Join(safe, "link")))
	for path, want := range map[string]bool{"safe/x": true, "outside/x": false, "safe/../outside/x": false, "safe/link/x": false} {
		assert.Equal(t, want, allowed(directory+"/"+path, "/nowhere "+safe, "/"), path)
		assert.True(t, allowed(directory+"/"+path, "", "/nowhere"), "neither names it")
	}
}

func TestForce(t *testing.T) {
	o := Start(t, "7.0.0")
	o.Hold(true)
	require.Contains(t, send(t, o, publisher, "one.image.allocate", "NAME=x TYPE=DATABLOCK SIZE=1", Datastore), "<boolean>1</boolean>")
	assert.Contains(t, send(t, o, publisher, "one.image.delete", 0), "Image locked, use --force flag")
	assert.Contains(t, send(t, o, publisher, "one.image.delete", 0, true), "User [2] : Not authorized to perform ADMIN IMAGE [0].", "not even its owner")
	assert.Contains(t, send(t, o, admin, "one.image.delete", 0, true), "<boolean>1</boolean>")
	assert.Empty(t, o.Images())
}
