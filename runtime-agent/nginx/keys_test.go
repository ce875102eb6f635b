package nginx

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
)

// Keys with what is special to regular expressions, nginx and HTTP Basic.
var testKeys = []appliance.NamedKey{{Name: "alice", Key: `Al:ice.s+$1\{x}"';`}, {Name: "ci-2.b_c", Key: `#*|C$i^(key)`}}

func withKeys(s *Site) { s.Keys = testKeys }

// authorize sets the headers to pairs of names and values.
func authorize(t *testing.T, method, url, body string, pairs ...string) *http.Request {
	t.Helper()
	request, err := http.NewRequest(method, url, strings.NewReader(body))
	require.NoError(t, err)
	for i := 0; i < len(pairs); i += 2 {
		request.Header.Set(pairs[i], pairs[i+1])
	}
	return request
}

// basic is the header of HTTP Basic.
func basic(user, password string) string {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return r.Header.Get("Authorization")
}

// The gateway is told whose key it was, whatever the client says.
func TestNamedKeys(t *testing.T) {
	address, last := listener(t)
	s := start(t, address, withKeys)
	alice, ci := testKeys[0], testKeys[1]
	const wrong = "wrong-password"
	for name, tt := range map[string]struct {
		pairs []string
		want  string // the name, or nothing for a refusal
	}{
		"Bearer":                   {[]string{"Authorization", "Bearer " + alice.Key}, "alice"},
		"bearer":                   {[]string{"Authorization", "bearer " + ci.Key}, "ci-2.b_c"},
		"Basic":                    {[]string{"Authorization", basic("alice", alice.Key)}, "alice"},
		"x-api-key":                {[]string{"X-Api-Key", ci.Key}, "ci-2.b_c"},
		"the password":             {[]string{"X-Api-Key", testPassword}, "copilot"},
		"the password, Basic":      {[]string{"Authorization", basic("copilot", testPassword)}, "copilot"},
		"x-api-key, wrong Bearer":  {[]string{"X-Api-Key", alice.Key, "Authorization", "Bearer " + wrong}, "alice"},
		"Bearer, wrong x-api-key":  {[]string{"X-Api-Key", wrong, "Authorization", "Bearer " + alice.Key}, "alice"},
		"two keys":                 {[]string{"X-Api-Key", ci.Key, "Authorization", "Bearer " + alice.Key}, "alice"},
		"a name of the client's":   {[]string{"X-Api-Key", ci.Key, appliance.HeaderKey, "alice"}, "ci-2.b_c"},
		"a name alone":             {[]string{appliance.HeaderKey, "alice"}, ""},
		"wrong":                    {[]string{"Authorization", "Bearer " + wrong}, ""},
		"another's name":           {[]string{"Authorization", basic("alice", ci.Key)}, ""},
		"the password's user":      {[]string{"Authorization", basic("copilot", alice.Key)}, ""},
		"the password by the name": {[]string{"Authorization", basic("alice", testPassword)}, ""},
		"no name":                  {[]string{"Authorization", basic("", alice.Key)}, ""},
		"longer":                   {[]string{"X-Api-Key", alice.Key + "x"}, ""},
		"cut":                      {[]string{"X-Api-Key", alice.Key[:len(alice.Key)-1]}, ""},
		"in upper case":            {[]string{"Authorization", "Bearer " + strings.ToUpper(alice.Key)}, ""},
		"with its name":            {[]string{"X-Api-Key", "alice:" + alice.Key}, ""},
		"its name":                 {[]string{"X-Api-Key", "alice"}, ""},
		"both":                     {[]string{"X-Api-Key", alice.Key + "," + ci.Key}, ""},
		"the pattern of the site":  {[]string{"X-Api-Key", regex(alice.Key)}, ""},
		"nothing":                  {nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			response := do(t, s, authorize(t, http.MethodGet, s.url()+appliance.PathModels, "", tt.pairs...))
			if tt.want == "" {
				assert.Equal(t, 401, response.StatusCode)
				return
			}
			require.Equal(t, 200, response.StatusCode)
			assert.Equal(t, []string{tt.want}, last().Header.Values(appliance.HeaderKey))
		})
	}
	do(t, s, authorize(t, http.MethodGet, s.url()+appliance.PathHealth, "", appliance.HeaderKey, "alice"))
	assert.Empty(t, last().Header.Values(appliance.HeaderKey), "where nobody is asked for a key")
}

// What nginx would refuse must have been refused by us.
func TestEveryAcceptedKeyIsAcceptedByNginx(t *testing.T) {
	var entries []string
	for i := range 64 {
		name := fmt.Sprintf("%02d%s", i, strings.Repeat("-._a0", 6))
		key := strings.Repeat(`k7Ge9wQz`, 15) + fmt.Sprintf(`"\'$%04d`, i)
		entries = append(entries, name+":"+key)
	}
	settings, err := appliance.ParseSettings(map[string]string{appliance.VarKeys: strings.Join(entries, ",")})
	require.NoError(t, err)
	address, last := listener(t)
	s := start(t, address, func(s *Site) { s.Keys = settings.Keys })
	for i, key := range settings.Keys {
		header := map[bool]string{true: "Bearer " + key.Key, false: basic(key.Name, key.Key)}[i%2 == 0]
		client := s.clientAt(fmt.Sprintf("127.0.0.%d", 1+i)) // nginx slows down those that ask often
		require.Equal(t, 200, send(t, client, authorize(t, http.MethodGet, s.url()+appliance.PathModels, "", "Authorization", header)).StatusCode)
		assert.Equal(t, key.Name, last().Header.Get(appliance.HeaderKey))
	}
}

// A key that is taken back opens nothing from the next request on. What it has begun ends in order, and
// others notice nothing.
func TestAKeyIsTakenBack(t *testing.T) {
	release := make(chan struct{})
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		part := func(text string) {
			fmt.Fprintf(w, "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", text)
			_ = http.NewResponseController(w).Flush()
		}
		part("begun")
		select {
		case <-release:
			part("ended")
			fmt.Fprint(w, "data: {\"id\":\"x\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n")
		case <-r.Context().Done():
		}
	}))
	defer engine.Close()
	alice, ci := testKeys[0], testKeys[1]
	upstream := gatewayTo(t, engine.Listener.Addr().String(), func(c *gateway.Config) { c.Keys, c.Slots = appliance.KeyNames(testKeys), 2 })
	// In a file of their own, as on a machine.
	dir := t.TempDir()
	file := func(keys []appliance.NamedKey) string {
		return write(t, dir, "keys.conf", Site{Keys: keys}.RenderKeys())
	}
	s := start(t, upstream, func(s *Site) { s.KeysFile = file(testKeys) })

	streams := map[string]*bufio.Reader{}
	for _, key := range testKeys {
		// Clients keep their connections.
		client := s.client()
		client.Transport.(*http.Transport).DisableKeepAlives = false
		response, err := client.Do(authorize(t, http.MethodPost, s.url()+appliance.PathChat, chatBody, "X-Api-Key", key.Key, "Content-Type", "application/json"))
		require.NoError(t, err)
		defer response.Body.Close()
		require.Equal(t, 200, response.StatusCode)
		streams[key.Name] = bufio.NewReader(response.Body)
		begun, err := streams[key.Name].ReadString('\n')
		require.NoError(t, err)
		require.Contains(t, begun, "begun")
	}

	s.change(t, func(s *Site) { s.KeysFile = file(testKeys[1:]) })
	ask := func(pairs ...string) int {
		return do(t, s, authorize(t, http.MethodGet, s.url()+appliance.PathModels, "", pairs...)).StatusCode
	}
	assert.Equal(t, 401, ask("X-Api-Key", alice.Key))
	assert.Equal(t, 401, ask("Authorization", "Bearer "+alice.Key))
	assert.Equal(t, 401, ask("Authorization", basic("alice", alice.Key)))
	assert.Equal(t, 200, ask("Authorization", basic(ci.Name, ci.Key)))
	assert.Equal(t, 200, ask("X-Api-Key", testPassword))

	close(release)
	for name, stream := range streams {
		rest, err := io.ReadAll(stream)
		require.NoError(t, err, name)
		assert.Contains(t, string(rest), "ended", name)
		assert.Contains(t, string(rest), "data: [DONE]\n\n", name)
	}
	s.change(t, func(s *Site) { s.KeysFile = file(testKeys) })
	assert.Equal(t, 200, ask("X-Api-Key", alice.Key), "it is given again")
}
