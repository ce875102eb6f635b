package gateway

import (
	"net/http"
	stdpath "path"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/engine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/failure"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
)

// prefix is that of the API's paths. Clients that were given a base URL without it, or with it
// twice, are answered as well.
const prefix = "/v1"

// unknown is the name of every path that is not served.
const unknown = "unknown"

// route returns the path that is meant, and the id of a model below PathModels.
func route(path string) (name, model string) {
	path = stdpath.Clean("/" + path)
	if path == appliance.PathReadyz || path == appliance.PathMetrics {
		return path, ""
	}
	for strings.HasPrefix(path, prefix+"/") {
		path = path[len(prefix):]
	}
	path = prefix + path
	if id, found := strings.CutPrefix(path, appliance.PathModels+"/"); found {
		return pathModel, id
	}
	if _, found := methods[path]; found {
		return path, ""
	}
	return unknown, ""
}

const pathModel = appliance.PathModels + "/{model}"

// methods are the routes; each has one method, HEAD besides GET.
var methods = map[string]string{
	appliance.PathReadyz:      http.MethodGet,
	appliance.PathMetrics:     http.MethodGet,
	appliance.PathModels:      http.MethodGet,
	pathModel:                 http.MethodGet,
	appliance.PathChat:        http.MethodPost,
	appliance.PathCompletions: http.MethodPost,
	appliance.PathResponses:   http.MethodPost,
	appliance.PathMessages:    http.MethodPost,
	appliance.PathCountTokens: http.MethodPost,
}

func (r *request) serve(model string) {
	method := r.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	switch want := methods[r.name]; {
	case want == "":
		r.refuse(noSuchPath())
		return
	case method != want:
		r.w.Header().Set("Allow", want)
		r.refuse(&failure.Error{
			Status: http.StatusMethodNotAllowed, Type: failure.InvalidRequest, Code: "method_not_allowed",
			Message: "This path does not answer that method.",
		})
		return
	}
	switch r.name {
	case appliance.PathReadyz:
		r.ready()
	case appliance.PathMetrics:
		r.metrics()
	case appliance.PathModels:
		r.json(r.models())
	case pathModel:
		r.serveModel(model)
	case appliance.PathCountTokens:
		r.countTokens()
	default:
		r.generate()
	}
}

func noSuchPath() *failure.Error {
	return &failure.Error{
		Status: http.StatusNotFound, Type: failure.InvalidRequest, Code: "unknown_url",
		Message: "This appliance has no such path. The base URL for clients of OpenAI's API ends in " + prefix + ", for those of Anthropic's it does not.",
	}
}

// ready answers what the engine says of itself.
func (r *request) ready() {
	status, _, err := r.engine.Get(r.r.Context(), engine.PathReadyz)
	if r.r.Context().Err() == nil {
		r.numbers.engineUp.Store(status == http.StatusOK)
	}
	if err != nil {
		r.refuse(engine.As(err))
		return
	}
	r.head(status)
}

// metrics answers with the numbers of the gateway. Those of LocalAI v4.9.0 are left out. It has one histogram,
// api_call: a name that other programs may have, too, with 18 lines for each method and path, whose first
// bucket ends at 5 s. It counts once more what the gateway and its probes ask, not who asked. And a scrape would hang when
// LocalAI does, which is when it is needed.
func (r *request) metrics() {
	r.w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	r.head(http.StatusOK)
	r.numbers.write(r.w)
	measured, err := speed.Load(r.Speed)
	switch {
	case err != nil:
		r.log.Warn("the numbers have no speed", "cause", err)
	case measured != nil && measured.Of.Model == r.Model:
		measured.WriteMetrics(r.w)
	}
}
