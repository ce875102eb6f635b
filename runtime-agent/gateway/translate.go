package gateway

import (
	"crypto/rand"
	"encoding/json"

	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/chat"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// translated makes a call of a chat that stands for a request of another API.
func (r *request) translated(asked chat.Request, stream bool, answer translator) (*call, *failure.Error) {
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, failure.Internal(err)
	}
	fields, failed := parse(body)
	if failed != nil {
		return nil, failed
	}
	made, failed := fields.chatCall(r.Config, r.divide)
	if failed != nil {
		return nil, failed
	}
	made.stream, made.answer = stream, translated{answer}
	return made, nil
}

// newID returns the id of an answer.
func newID(prefix string) string { return prefix + rand.Text() }
