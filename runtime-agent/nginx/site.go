// Package nginx renders the site through which clients reach the engine, and has nginx
// judge the result before it is used.
package nginx

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"text/template"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Site is what differs between two virtual machines, and between one of them and a test.
type Site struct {
	// HTTPListen and HTTPSListen are arguments of "listen", such as "[::]:443".
	HTTPListen  []string
	HTTPSListen []string
	// Upstream is host and port of the engine.
	Upstream string
	// Certificate, Key and WebRoot are paths.
	Certificate string
	Key         string
	WebRoot     string
	// Password is what clients send, EngineKey what the engine gets instead.
	Password  string
	EngineKey string
}

// Listen gives the arguments of "listen" for a port. nginx does not start if it is told to
// listen on IPv6 where the kernel has none.
func Listen(port int, ipv6 bool) []string {
	listen := []string{fmt.Sprint(port)}
	if ipv6 {
		listen = append(listen, fmt.Sprintf("[::]:%d", port))
	}
	return listen
}

// guarded is a path that needs the password, and its one method.
type guarded struct{ Path, Method string }

// failure is an error nginx itself gives. Statuses are nginx's, Status is the answer's.
type failure struct {
	Statuses string
	Status   int
	Body     string
}

var failures = []failure{
	{"401", 401, openAIError("authentication_error", "invalid_api_key",
		"Missing or wrong password. Send it as a Bearer token, as the password of HTTP Basic with the user "+appliance.APIUser+", or as x-api-key.")},
	{"404", 404, openAIError("invalid_request_error", "unknown_url", "This appliance has no such path.")},
	{"405", 405, openAIError("invalid_request_error", "method_not_allowed", "This path does not answer that method.")},
	{"413", 413, openAIError("invalid_request_error", "request_too_large", "The request is larger than 15 MiB.")},
	{"500", 500, openAIError("server_error", "internal_error", "The appliance could not handle the request.")},
	// nginx says 502 when nobody listens: the engine opens its port once the model is loaded.
	{"502 503", 503, openAIError("server_error", "model_unavailable", "The model is loading or restarting. Try again in a few seconds.")},
	{"504", 504, openAIError("server_error", "timeout", "The model did not answer in time. Send a shorter prompt.")},
}

// openAIError is the body of an error as OpenAI's clients read it.
func openAIError(kind, code, message string) string {
	body, _ := json.Marshal(map[string]any{
		"error": map[string]any{"message": message, "type": kind, "param": nil, "code": code},
	})
	return string(body)
}

//go:embed site.conf.tmpl
var siteText string

var siteTemplate = template.Must(template.New("site").Funcs(template.FuncMap{"regex": regex}).Parse(siteText))

// Render gives the text of the site file.
func (s Site) Render() []byte {
	view := map[string]any{
		"HTTPListen": s.HTTPListen, "HTTPSListen": s.HTTPSListen, "Upstream": s.Upstream,
		"Certificate": s.Certificate, "Key": s.Key, "WebRoot": s.WebRoot,
		"Password": s.Password, "EngineKey": s.EngineKey,
		"Basic":  base64.StdEncoding.EncodeToString([]byte(appliance.APIUser + ":" + s.Password)),
		"Title":  appliance.Title,
		"PathCA": appliance.PathCA, "PathReadyz": appliance.PathReadyz,
		"PathChat": appliance.PathChat, "PathCompletions": appliance.PathCompletions,
		"Guarded": []guarded{
			{appliance.PathChat, "POST"},
			{appliance.PathCompletions, "POST"},
			{appliance.PathModels, "GET"},
			{appliance.PathMetrics, "GET"},
		},
		"Open":   []string{appliance.PathHealth, appliance.PathReadyz},
		"Errors": failures,
	}
	var out bytes.Buffer
	if err := siteTemplate.Execute(&out, view); err != nil {
		panic(err) // a mistake in the template: it has no input that could cause one
	}
	return out.Bytes()
}

// regex writes text so that a regular expression means just its bytes, and so that neither
// nginx's quoting nor its variables can see anything in it.
func regex(text string) string {
	var out strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&out, `\x%02x`, text[i])
	}
	return out.String()
}
