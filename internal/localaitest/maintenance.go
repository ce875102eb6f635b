package localaitest

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// loadAnswer is the body of every response of /backend/load, including errors: its format
// differs from the errors of other routes (taken from LocalAI's source, not recorded).
type loadAnswer struct {
	Loaded  []string `json:"loaded"`
	Message string   `json:"message"`
}

const modelRequired = "model is required"

// serveShutdown stops the backend of a model, even if it is already dead.
func (h *Handler) serveShutdown(w http.ResponseWriter, r *http.Request) {
	name, failed := readModelName(r)
	if failed == nil && name == "" {
		failed = frameworkError(http.StatusBadRequest, modelRequired)
	}
	if failed != nil {
		writeError(w, failed)
		return
	}
	model, failed := h.model(name)
	if failed != nil || !h.loader.unload(model) {
		writeError(w, notFound())
		return
	}
	h.slots[model.Name].forget(r.Context())
	writeJSON(w, http.StatusOK, map[string]string{"message": "model stopped"})
}

// serveLoad loads a model and responds when that is done.
func (h *Handler) serveLoad(w http.ResponseWriter, r *http.Request) {
	name, failed := readModelName(r)
	switch {
	case failed != nil:
		writeError(w, failed)
		return
	case name == "":
		writeJSON(w, http.StatusBadRequest, loadAnswer{Message: modelRequired})
		return
	}
	model, failed := h.model(name)
	if failed == nil {
		failed = h.loader.load(r.Context(), model)
	}
	if failed != nil {
		writeJSON(w, http.StatusInternalServerError, loadAnswer{Message: "failed to load model: " + failed.Message})
		return
	}
	writeJSON(w, http.StatusOK, loadAnswer{Loaded: []string{name}, Message: "model loaded"})
}

func readModelName(r *http.Request) (string, *httpError) {
	var request struct {
		Model string `json:"model"`
	}
	if err := json.NewDecoder(r.Body).Decode(&request); err != nil && !errors.Is(err, io.EOF) {
		return "", frameworkError(http.StatusBadRequest, decodeMessage(err))
	}
	return request.Model, nil
}
