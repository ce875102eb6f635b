package gateway

import (
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
)

// admit returns the error for a prompt that is too long.
func (r *request) admit(said *call) *failure.Error {
	if said.editor {
		return nil // it was cut to what the context holds
	}
	name := r.session()
	tokens := max(r.budget.estimate(name, said.size), said.least)
	limit := r.budget.limit(name, r.ContextSize)
	switch {
	case said.least > r.ContextSize:
		limit = r.ContextSize // nobody need count that, and it is no summary
	case float64(tokens) > near*float64(limit):
		tokens = r.counted(said, tokens)
	}
	if tokens <= limit {
		return nil
	}
	r.budget.refuse(name)
	return failure.TooLong(tokens, limit)
}

// counted has the engine count a prompt, but for what the chat template adds. While it is not
// there, the estimate has to do.
func (r *request) counted(said *call, estimate int) int {
	tokens, err := r.engine.CountTokens(r.r.Context(), r.Model, said.text())
	if err != nil {
		return estimate
	}
	return tokens
}
