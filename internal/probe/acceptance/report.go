package acceptance

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Report is the outcome of a test run: each boot of the image with its checks.
type Report struct {
	Image       string    `json:"image"`
	Model       string    `json:"model"`
	Accelerator string    `json:"accelerator"`
	Started     time.Time `json:"started"`
	Boots       []Boot    `json:"boots"`
	// Error is what ended the run, other than a failed check.
	Error string `json:"error,omitempty"`
}

// Boot is one boot of the image.
type Boot struct {
	Name string `json:"name"`
	// Ready is the time from power-on to the first token.
	Ready   Duration `json:"ready_after_seconds"`
	Results []Result `json:"checks"`
}

// Duration is encoded in JSON as seconds.
type Duration time.Duration

// MarshalJSON writes seconds with three decimals.
func (d Duration) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, "%.3f", time.Duration(d).Seconds()), nil
}

// UnmarshalJSON reads the output of MarshalJSON.
func (d *Duration) UnmarshalJSON(text []byte) error {
	var seconds float64
	if err := json.Unmarshal(text, &seconds); err != nil {
		return err
	}
	*d = Duration(seconds * float64(time.Second))
	return nil
}

func (d Duration) String() string {
	return fmt.Sprintf("%.1f s", time.Duration(d).Seconds())
}

// Passed reports whether there are results and none of them is a failure.
func (r Report) Passed() bool {
	return r.Error == "" && len(r.Boots) > 0 && len(r.Failures()) == 0
}

// Checks returns how many checks were made, in all boots.
func (r Report) Checks() int {
	var checks int
	for _, boot := range r.Boots {
		checks += len(boot.Results)
	}
	return checks
}

// Failures returns the failed checks, as "<boot>: <check>: <what was wrong>".
func (r Report) Failures() []string {
	var failures []string
	for _, boot := range r.Boots {
		for _, result := range boot.Results {
			if !result.Passed {
				failures = append(failures, fmt.Sprintf("%s: %s: %s", boot.Name, result.Name, result.Detail))
			}
		}
	}
	return failures
}

// JSON returns the report for programs.
func (r Report) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(struct {
		Passed bool `json:"passed"`
		Report
	}{r.Passed(), r}, "", "  ")
	return append(text, '\n'), err
}

// Text returns the report for people.
func (r Report) Text() string {
	var out strings.Builder
	verdict := "PASSED"
	if !r.Passed() {
		verdict = "FAILED"
	}
	fmt.Fprintf(&out, "%s  %s\n\n", verdict, r.Image)
	fmt.Fprintf(&out, "model        %s\naccelerator  %s\nstarted      %s\n", r.Model, r.Accelerator, r.Started.UTC().Format(time.RFC3339))
	for _, boot := range r.Boots {
		fmt.Fprintf(&out, "\n%s, ready after %s\n", boot.Name, boot.Ready)
		for _, result := range boot.Results {
			fmt.Fprintf(&out, "  %s\n", strings.ReplaceAll(result.String(), "\n", "\n  "))
		}
	}
	if r.Error != "" {
		fmt.Fprintf(&out, "\n%s\n", r.Error)
	}
	return out.String()
}

// String returns one line, "ok    chat answers (0.2 s): 83 characters", and after a failure a second one with the remedy.
func (r Result) String() string {
	word := "ok  "
	if !r.Passed {
		word = "FAIL"
	}
	line := fmt.Sprintf("%s  %s (%s)", word, r.Name, r.Duration)
	if r.Detail != "" {
		line += ": " + r.Detail
	}
	if !r.Passed && r.Remedy != "" {
		line += "\n      " + r.Remedy
	}
	return line
}
