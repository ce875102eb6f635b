package localaitest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// serveTokenize answers POST /v1/tokenize: a list of token ids, without those that begin a prompt.
// It does not wait for the slot. The path of the answer is that of LocalAI's source
// (core/http/endpoints/localai/tokenize.go); it is not recorded.
func (h *Handler) serveTokenize(w http.ResponseWriter, r *http.Request) {
	var request struct {
		Model   string `json:"model"`
		Content string `json:"content"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil && !errors.Is(err, io.EOF) {
		writeError(w, decodingFailed(err))
		return
	}
	model, failed := h.model(request.Model)
	if failed == nil {
		failed = h.loader.load(r.Context(), model)
	}
	if failed == nil {
		if err := h.options.Engine.Tokenize(model, longestRun(request.Content)); err != nil {
			failed = &httpError{Status: http.StatusInternalServerError, Message: err.Error()}
		}
	}
	if failed != nil {
		writeError(w, failed)
		return
	}
	tokens := []int{}
	for i := 0; i < len(request.Content); i += max(1, model.BytesPerToken) {
		tokens = append(tokens, int(request.Content[i]))
	}
	writeJSON(w, http.StatusOK, map[string][]int{"tokens": tokens})
}
