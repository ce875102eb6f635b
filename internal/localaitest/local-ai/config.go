package main

import (
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
)

// config is what the stand-in reads from the environment. LocalAI reads many more variables,
// which are ignored here.
type config struct {
	address         string
	modelsPath      string
	backendsPath    string
	writablePaths   []string
	keys            []string
	allowOrigins    []string
	loadToMemory    []string
	oneBackend      bool
	threads         int
	contextSize     int
	logFormat       string
	metricsDisabled bool
	opaqueErrors    bool
}

// readConfig returns one error for all invalid values.
func readConfig(getenv func(string) string) (config, error) {
	e := environment{getenv: getenv}
	c := config{
		address:         e.text("LOCALAI_ADDRESS", ":8080"),
		modelsPath:      e.text("LOCALAI_MODELS_PATH", "models"),
		backendsPath:    e.text("LOCALAI_BACKENDS_PATH", "backends"),
		keys:            e.list("LOCALAI_API_KEY"),
		loadToMemory:    e.list("LOCALAI_LOAD_TO_MEMORY"),
		oneBackend:      e.boolean("LOCALAI_SINGLE_ACTIVE_BACKEND") || e.number("LOCALAI_MAX_ACTIVE_BACKENDS", 0) == 1,
		threads:         e.number("LOCALAI_THREADS", 0),
		contextSize:     e.number("LOCALAI_CONTEXT_SIZE", 0),
		logFormat:       e.text("LOCALAI_LOG_FORMAT", "text"),
		metricsDisabled: e.boolean("LOCALAI_DISABLE_METRICS_ENDPOINT"),
		opaqueErrors:    e.boolean("LOCALAI_OPAQUE_ERRORS"),
	}
	if e.boolean("LOCALAI_CORS") {
		c.allowOrigins = e.list("LOCALAI_CORS_ALLOW_ORIGINS")
	}
	for _, name := range []string{"LOCALAI_DATA_PATH", "LOCALAI_GENERATED_CONTENT_PATH", "LOCALAI_UPLOAD_PATH"} {
		if path := getenv(name); path != "" {
			c.writablePaths = append(c.writablePaths, path)
		}
	}
	if c.threads == 0 {
		c.threads = runtime.NumCPU()
	}
	return c, errors.Join(e.mistakes...)
}

type environment struct {
	getenv   func(string) string
	mistakes []error
}

func (e *environment) text(name, otherwise string) string {
	if value := e.getenv(name); value != "" {
		return value
	}
	return otherwise
}

func (e *environment) list(name string) []string {
	value := e.getenv(name)
	if value == "" {
		return nil
	}
	return strings.Split(value, ",")
}

func (e *environment) number(name string, otherwise int) int {
	value := e.getenv(name)
	if value == "" {
		return otherwise
	}
	n, err := strconv.Atoi(value)
	if err != nil {
		e.mistakes = append(e.mistakes, fmt.Errorf("%s: expected a valid 64 bit int but got %q", name, value))
	}
	return n
}

func (e *environment) boolean(name string) bool {
	value := e.getenv(name)
	if value == "" {
		return false
	}
	b, err := strconv.ParseBool(value)
	if err != nil {
		e.mistakes = append(e.mistakes, fmt.Errorf("%s: expected true or false but got %q", name, value))
	}
	return b
}
