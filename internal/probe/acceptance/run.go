package acceptance

import (
	"context"
	"fmt"
	"time"
)

// Result is the outcome of one check.
type Result struct {
	Key      string   `json:"key"`
	Name     string   `json:"name"`
	Passed   bool     `json:"passed"`
	Duration Duration `json:"seconds"`
	// Detail is what was observed, or what was wrong.
	Detail string `json:"detail,omitempty"`
	// Requirement and Remedy are those of the check.
	Requirement string `json:"requirement"`
	Remedy      string `json:"remedy"`
}

// Run runs all checks, even after one has failed, and passes each result to tell as it
// arrives. It stops early only when ctx ends.
func Run(ctx context.Context, target *Target, checks []Check, tell func(Result)) ([]Result, error) {
	var results []Result
	for _, check := range checks {
		result := run(ctx, target, check)
		if ctx.Err() != nil {
			return results, context.Cause(ctx)
		}
		results = append(results, result)
		tell(result)
	}
	return results, nil
}

func run(ctx context.Context, target *Target, check Check) Result {
	ctx, cancel := context.WithTimeoutCause(ctx, check.Timeout, fmt.Errorf("no answer within %s", check.Timeout))
	defer cancel()
	started := time.Now()
	detail, err := check.Run(ctx, target)
	result := Result{
		Key: check.Key, Name: check.Name, Passed: err == nil, Duration: Duration(time.Since(started)), Detail: detail,
		Requirement: check.Requirement, Remedy: check.Remedy,
	}
	if err != nil {
		result.Detail = err.Error()
	}
	return result
}
