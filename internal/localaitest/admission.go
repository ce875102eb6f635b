package localaitest

import (
	"fmt"
	"net/http"
	"sync"
)

// admission counts the running requests of each model.
type admission struct {
	mu      sync.Mutex
	running map[string]int
}

func newAdmission() *admission { return &admission{running: map[string]int{}} }

// enter admits a request or returns why not; every admitted request must leave.
func (a *admission) enter(model Model) *httpError {
	a.mu.Lock()
	defer a.mu.Unlock()
	if model.MaxConcurrent > 0 && a.running[model.Name] >= model.MaxConcurrent {
		return atCapacity(model)
	}
	a.running[model.Name]++
	return nil
}

func (a *admission) leave(model Model) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.running[model.Name]--
}

func atCapacity(model Model) *httpError {
	return &httpError{
		Status:     http.StatusServiceUnavailable,
		Message:    fmt.Sprintf("model %q is at capacity (max_concurrent=%d); retry after %ds", model.Name, model.MaxConcurrent, model.RetryAfterSeconds),
		Type:       "admission_rejected",
		RetryAfter: model.RetryAfterSeconds,
		NoCode:     true,
	}
}

func (a *admission) count(model Model) int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.running[model.Name]
}
