package localaitest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// metrics counts calls for /metrics, in the one histogram LocalAI has.
type metrics struct {
	mu    sync.Mutex
	calls []*callCount
}

type callCount struct {
	method, path string
	buckets      []int
	sum          float64
	count        int
}

// bucketLimits are OpenTelemetry's defaults, in LocalAI's unit: seconds.
var bucketLimits = []float64{0, 5, 10, 25, 50, 75, 100, 250, 500, 750, 1000, 2500, 5000, 7500, 10000}

func (m *metrics) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		next.ServeHTTP(w, r)
		m.add(r.Method, r.URL.Path, time.Since(start).Seconds())
	})
}

func (m *metrics) add(method, path string, seconds float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.calls, func(c *callCount) bool { return c.method == method && c.path == path })
	if i < 0 {
		i = len(m.calls)
		m.calls = append(m.calls, &callCount{method: method, path: path, buckets: make([]int, len(bucketLimits))})
	}
	call := m.calls[i]
	call.count++
	call.sum += seconds
	for b, limit := range bucketLimits {
		if seconds <= limit {
			call.buckets[b]++
		}
	}
}

func (m *metrics) serve(w http.ResponseWriter, _ *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var text strings.Builder
	text.WriteString("# HELP api_call api calls\n# TYPE api_call histogram\n")
	for _, call := range m.calls {
		call.write(&text)
	}
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8; escaping=underscores")
	_, _ = w.Write([]byte(text.String()))
}

func (c *callCount) write(text *strings.Builder) {
	labels := fmt.Sprintf(`method=%q,otel_scope_name="github.com/mudler/LocalAI",otel_scope_schema_url="",otel_scope_version="",path=%q`, c.method, c.path)
	for b, limit := range bucketLimits {
		fmt.Fprintf(text, "api_call_bucket{%s,le=\"%v\"} %d\n", labels, limit, c.buckets[b])
	}
	fmt.Fprintf(text, "api_call_bucket{%s,le=\"+Inf\"} %d\n", labels, c.count)
	fmt.Fprintf(text, "api_call_sum{%s} %v\n", labels, c.sum)
	fmt.Fprintf(text, "api_call_count{%s} %d\n", labels, c.count)
}
