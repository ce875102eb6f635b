package onegate

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const token = "a/Token+of=Base64=="

// gate is a fake OneGate that answers with the given statuses, repeats the last one, and
// records what was reported.
type gate struct {
	*httptest.Server
	asked atomic.Int32
	data  atomic.Value
}

func serve(t *testing.T, statuses ...int) *gate {
	t.Helper()
	g := &gate{}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := int(g.asked.Add(1))
		assert.Equal(t, "PUT /vm", r.Method+" "+r.URL.String())
		assert.Equal(t, token, r.Header.Get("X-ONEGATE-TOKEN"))
		assert.Equal(t, "42", r.Header.Get("X-ONEGATE-VMID"))
		assert.Equal(t, "application/x-www-form-urlencoded", r.Header.Get("Content-Type"))
		assert.NoError(t, r.ParseForm())
		assert.Equal(t, "1", r.PostForm.Get("type"), "merge")
		g.data.Store(r.PostForm.Get("data"))
		status := statuses[min(n, len(statuses))-1]
		if status == http.StatusFound {
			http.Redirect(w, r, "/vm", status)
			return
		}
		if status != http.StatusOK {
			http.Error(w, "because\x1b of this", status)
		}
	}))
	t.Cleanup(g.Close)
	return g
}

func discard(string) {}

func client(g *gate) *Client { return New(g.URL, token, "42") }

func TestReport(t *testing.T) {
	g := serve(t, http.StatusOK)
	require.NoError(t, client(g).Report(t.Context(), Ready("https://192.0.2.7/v1", "devstral-small-2"), discard))
	assert.Equal(t, "ONEAPP_COPILOT_ENDPOINT=https://192.0.2.7/v1\nONEAPP_COPILOT_MODEL=devstral-small-2\nREADY=YES", g.data.Load())
	require.NoError(t, New(g.URL+"/", token, "42").Report(t.Context(), NotReady(), discard), "a slash at the end of the endpoint")
	assert.Equal(t, "READY=NO", g.data.Load())
}

func TestAnIPv6EndpointDoesNotKeepTheMachineFromBeingReady(t *testing.T) {
	g := serve(t, http.StatusOK)
	require.NoError(t, client(g).Report(t.Context(), Ready("https://[2001:db8::7]/v1", "devstral-small-2"), discard))
	assert.Equal(t, "ONEAPP_COPILOT_MODEL=devstral-small-2\nREADY=YES", g.data.Load())
}

func TestAnswers(t *testing.T) {
	tests := map[string]struct {
		statuses []int
		asked    int32
		want     string
	}{
		"better at the second attempt": {[]int{500, 200}, 2, ""},
		"better at the third attempt":  {[]int{503, 500, 200}, 3, ""},
		"broken":                       {[]int{500}, 3, `HTTP 500: "because\x1b of this"`},
		"a bad token":                  {[]int{401}, 1, "the token is not accepted"},
		"a restricted name":            {[]int{403}, 1, "the cloud does not allow this"},
		"an unknown machine":           {[]int{404}, 1, "does not know this machine"},
		"a redirect":                   {[]int{302}, 1, "HTTP 302"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := serve(t, tt.statuses...)
			err := client(g).Report(t.Context(), NotReady(), discard)
			assert.Equal(t, tt.asked, g.asked.Load())
			if tt.want == "" {
				assert.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
			assert.ErrorContains(t, err, g.URL)
			assert.NotContains(t, err.Error(), token)
		})
	}
}

func TestSlow(t *testing.T) {
	released := make(chan struct{})
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		asked.Add(1)
		<-released
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(released) })
	c := New(server.URL, token, "42")
	assert.LessOrEqual(t, time.Duration(attempts.Failures)*c.HTTP.Timeout+time.Duration(attempts.Failures-1)*attempts.MaxPause*5/4, 10*time.Second, "how long OneGate may delay a start")
	c.HTTP.Timeout = 100 * time.Millisecond
	assert.ErrorContains(t, c.Report(t.Context(), NotReady(), discard), "Client.Timeout exceeded")
	assert.EqualValues(t, attempts.Failures, asked.Load())
}

func TestNobodyListens(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	err = New("http://"+listener.Addr().String(), token, "42").Report(t.Context(), NotReady(), discard)
	assert.ErrorContains(t, err, "failed 3 times")
	assert.ErrorContains(t, err, "connection refused")
}

func TestCancelEndsTheAttempts(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		cancel()
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(server.Close)
	assert.Error(t, New(server.URL, token, "42").Report(ctx, NotReady(), discard))
	assert.EqualValues(t, 1, asked.Load())
}

func TestAnEndpointThatIsNotAURL(t *testing.T) {
	for _, endpoint := range []string{"::", "http://a b/", "192.0.2.1:5030", "ftp://192.0.2.1"} {
		assert.ErrorContains(t, New(endpoint, token, "42").Report(t.Context(), NotReady(), discard), endpoint)
	}
}

func TestWithoutATokenNothingIsDone(t *testing.T) {
	for _, c := range []*Client{New("", token, "42"), New("http://192.0.2.1", "", "42"), New("http://192.0.2.1", token, "")} {
		assert.Nil(t, c)
		assert.NoError(t, c.Report(t.Context(), NotReady(), discard))
	}
}

func TestOnlyPlainValuesAreReported(t *testing.T) {
	g := serve(t, http.StatusOK)
	for _, value := range []string{"a,b", "[a", "a]", `a\b`, "a\nb", `"a`, "a'b", "a b", "a\x00", "ä", ""} {
		err := client(g).Report(t.Context(), map[string]string{"ONE": value, "TWO": value, ReadyAttribute: "YES"}, discard)
		assert.ErrorContains(t, err, "report ONE to OneGate: the value ")
		assert.ErrorContains(t, err, "report TWO to OneGate: the value ", "all at once")
	}
	assert.Zero(t, g.asked.Load())
}

// The server must read one line per attribute, whatever the value.
func FuzzEncode(f *testing.F) {
	f.Add("https://192.0.2.7/v1")
	f.Add("a&type=2")
	f.Add("a=b%20+;")
	f.Fuzz(func(t *testing.T, value string) {
		body, err := encode(map[string]string{"A": value, "B": "1"})
		if err != nil {
			assert.False(t, plain(value))
			return
		}
		form, err := url.ParseQuery(body)
		require.NoError(t, err)
		assert.Equal(t, url.Values{"data": {"A=" + value + "\nB=1"}, "type": {"1"}}, form)
		assert.Len(t, strings.Split(form.Get("data"), "\n"), 2)
	})
}
