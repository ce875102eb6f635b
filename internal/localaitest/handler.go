package localaitest

import (
	"net/http"
	"slices"
	"strings"
)

// Version is the version the stand-in reports.
const Version = "v4.9.0"

const (
	pathChat        = "/v1/chat/completions"
	pathCompletions = "/v1/completions"
)

// publicPaths need no key. (LocalAI has more of them, which are not implemented here.)
var publicPaths = []string{"/readyz", "/healthz"}

// Handler implements LocalAI's HTTP API.
type Handler struct {
	options   Options
	loader    *loader
	admission *admission
	slots     map[string]*slot
	metrics   *metrics
	routes    map[string]route
	// entry is the first handler in the middleware chain.
	entry http.Handler
}

// ServeHTTP answers one request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.entry.ServeHTTP(w, r) }

type route struct {
	method string
	serve  http.HandlerFunc
}

// NewHandler returns a handler that has no model loaded yet.
func NewHandler(options Options) *Handler {
	options = options.withDefaults()
	h := &Handler{
		options: options, loader: newLoader(options.Engine), admission: newAdmission(),
		slots: newSlots(options), metrics: &metrics{},
	}
	h.routes = map[string]route{
		"/readyz":       {http.MethodGet, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }},
		"/healthz":      {http.MethodGet, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }},
		"/v1/models":    {http.MethodGet, h.serveModels},
		"/version":      {http.MethodGet, serveVersion},
		"/system":       {http.MethodGet, h.serveSystem},
		pathChat:        {http.MethodPost, h.serveChat},
		pathCompletions: {http.MethodPost, h.serveCompletions},
		"/v1/tokenize":  {http.MethodPost, h.serveTokenize},

		"/backend/shutdown": {http.MethodPost, h.serveShutdown},
		"/backend/load":     {http.MethodPost, h.serveLoad},
	}
	if !options.DisableMetrics {
		h.routes["/metrics"] = route{http.MethodGet, h.metrics.serve}
	}
	h.entry = h.metrics.count(h.guard(http.HandlerFunc(h.serve)))
	return h
}

func (h *Handler) serve(w http.ResponseWriter, r *http.Request) {
	found, known := h.routes[r.URL.Path]
	switch {
	case !known && strings.Contains(r.Header.Get("Accept"), "text/html"):
		writeNotFoundPage(w)
	case !known:
		writeError(w, notFound())
	case r.Method != found.method:
		w.Header().Set("Allow", h.methods(r.URL.Path))
		writeError(w, frameworkError(http.StatusMethodNotAllowed, "Method Not Allowed"))
	default:
		found.serve(w, r)
	}
}

// methods returns the Allow header for a path.
func (h *Handler) methods(path string) string {
	found, known := h.routes[path]
	if !known {
		return ""
	}
	return "OPTIONS, " + found.method
}

// writeNotFoundPage sends the 404 page for browsers.
func writeNotFoundPage(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/html; charset=UTF-8")
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write([]byte("<!DOCTYPE html>\n<html lang=\"en\"><head><title></title></head><body>404</body></html>\n"))
}

type modelList struct {
	Object string      `json:"object"`
	Data   []modelItem `json:"data"`
}

type modelItem struct {
	ID     string `json:"id"`
	Object string `json:"object"`
}

// serveModels lists the configured models, loaded or not.
func (h *Handler) serveModels(w http.ResponseWriter, _ *http.Request) {
	list := modelList{Object: "list", Data: []modelItem{}}
	for _, model := range h.options.Models {
		list.Data = append(list.Data, modelItem{ID: model.Name, Object: "model"})
	}
	writeJSON(w, http.StatusOK, list)
}

func serveVersion(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{"version": Version + " ()"})
}

type systemBody struct {
	Backends []string      `json:"backends"`
	Loaded   []loadedModel `json:"loaded_models"`
}

type loadedModel struct {
	ID      string `json:"id"`
	Backend string `json:"backend"`
}

func (h *Handler) serveSystem(w http.ResponseWriter, _ *http.Request) {
	body := systemBody{Backends: h.options.Engine.Backends(), Loaded: []loadedModel{}}
	for _, name := range h.loader.loadedNames() {
		body.Loaded = append(body.Loaded, loadedModel{ID: name, Backend: backendName})
	}
	writeJSON(w, http.StatusOK, body)
}

// model returns the model for a request; LocalAI uses the first one if a request names none.
func (h *Handler) model(name string) (Model, *httpError) {
	if name == "" && len(h.options.Models) > 0 {
		return h.options.Models[0], nil
	}
	i := slices.IndexFunc(h.options.Models, func(m Model) bool { return m.Name == name })
	if i < 0 {
		return Model{}, modelNotFound(name)
	}
	return h.options.Models[i], nil
}
