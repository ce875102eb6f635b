package localaitest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTokenize(t *testing.T) {
	dead := failing{&CallError{Message: DialFailed("127.0.0.1:36087")}}
	for name, c := range map[string]struct {
		engine Engine
		body   string
		status int
		want   string
	}{
		"text":         {nil, `{"model":"tiny","content":"héy"}`, http.StatusOK, `{"tokens":[104,195,169,121]}` + "\n"},
		"no text":      {nil, `{}`, http.StatusOK, `{"tokens":[]}` + "\n"},
		"wrong model":  {nil, `{"model":"nosuch"}`, http.StatusNotFound, `model \"nosuch\" not found`},
		"no JSON":      {nil, `{"model":`, http.StatusBadRequest, "failed parsing request body: "},
		"dead backend": {dead, `{"content":"a"}`, http.StatusInternalServerError, "connection refused"},
		"a long run":   {fragile{}, `{"content":"` + strings.Repeat("a", 101) + `"}`, http.StatusInternalServerError, "error reading from server: EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			server := NewServer(t, Options{Models: []Model{tiny}, Engine: c.engine})
			response, answer := play(t, server, transcript{
				method: http.MethodPost, path: "/v1/tokenize", header: http.Header{"Content-Type": {"application/json"}}, requestBody: c.body,
			})
			assert.Equal(t, c.status, response.StatusCode)
			assert.Contains(t, answer, c.want)
		})
	}
}

// fragile dies of 100 letters in a row.
type fragile struct{ alwaysReady }

func (fragile) Tokenize(_ Model, run int) error {
	if run > 100 {
		return BackendDied()
	}
	return nil
}
