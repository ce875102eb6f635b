// Package speed holds what a benchmark of the appliance has measured: how that is stored, and what it
// means in words.
package speed

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
)

const (
	// FirstTurn is the length, in tokens, of a prompt as coding agents begin with: theirs have 1,300 to 17,000.
	FirstTurn = 10_000
	// LowShare is the part of the memory's bandwidth below which something else than the memory holds
	// the engine up.
	LowShare = 0.5
	// MuchStolen is the part of the processors' time that a host may take before it is worth a
	// warning.
	MuchStolen = 0.05
	// FewProcessors is the part of the threads that should amount to processors: two threads of one core
	// do the work of 1.2 to 1.6.
	FewProcessors = 0.75

	// smallModel is how many bytes a token has to need so that reading them is what takes the time, and not
	// all else that is done for a token.
	smallModel = 256 << 20

	maxFile = 64 << 10
)

// Result is what one benchmark has measured.
type Result struct {
	At time.Time `json:"at"`
	Of Subject   `json:"of"`
	// PromptTokens is how many tokens were read, FirstToken how many seconds that took, up to the first token of the answer.
	PromptTokens int     `json:"prompt_tokens"`
	FirstToken   float64 `json:"first_token_seconds"`
	// Read, Write and Edit are in tokens per second: of a prompt, of a new text, and of an answer that repeats most of
	// the prompt. Edit is 0 where it could not be measured, as of a model that reasons first.
	Read  float64 `json:"read_tokens_per_second"`
	Write float64 `json:"write_tokens_per_second"`
	Edit  float64 `json:"edit_tokens_per_second"`
	// BytesPerToken are the weights that are read for each token, Bandwidth what the memory gives in bytes per second, 0 if
	// that is not known.
	BytesPerToken uint64  `json:"bytes_per_token"`
	Bandwidth     float64 `json:"memory_bytes_per_second,omitempty"`
	// Processors is how many times the work of one thread all of them do, Stolen the part of the processors' time
	// that the host gave to others.
	Processors float64 `json:"processors"`
	Stolen     float64 `json:"stolen"`
	// Features are those of the processor that the engine has kernels for, Kernels the library it has chosen.
	Features []string `json:"features,omitempty"`
	Kernels  string   `json:"kernels,omitempty"`
}

// Subject is what was measured: of another one the numbers say nothing.
type Subject struct {
	Model        string `json:"model"`
	Quantization string `json:"quantization,omitempty"`
	LocalAI      string `json:"localai,omitempty"`
	Threads      int    `json:"threads"`
	Processor    string `json:"processor,omitempty"`
}

// Share is the part of the memory's bandwidth that writing uses, which is how near the engine is to what the
// machine can do at all: each token needs all active weights once. It is 0 if it is not known.
func (r Result) Share() float64 {
	if r.Bandwidth == 0 {
		return 0
	}
	return r.Write * float64(r.BytesPerToken) / r.Bandwidth
}

// FirstTurn is how long a prompt of FirstTurn tokens is read.
func (r Result) FirstTurn() time.Duration {
	if r.Read <= 0 {
		return 0
	}
	return time.Duration(FirstTurn / r.Read * float64(time.Second))
}

// Load returns what is stored, nil if nothing is.
func Load(path string) (*Result, error) {
	text, err := guardedfile.Read(path, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("read the result of the benchmark: %w", err)
	}
	var r Result
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read the result of the benchmark, %s: %w", path, err)
	}
	return &r, nil
}

// Save stores a result, for everybody to read.
func Save(path string, r Result) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(path, append(text, '\n'), 0o644, nil)
}

// Of returns a result, or the one of a model that was not measured: nothing but zeros.
func Of(measured *Result) Result {
	if measured == nil {
		return Result{}
	}
	return *measured
}

// Attributes are what OpenNebula is told, by name: the same names always, because it keeps what it was
// told of another model. Zero is what was not measured.
func (r Result) Attributes() map[string]string {
	prefixed := map[string]string{}
	for name, value := range map[string]float64{
		"READ_TOKENS_PER_SECOND": r.Read, "WRITE_TOKENS_PER_SECOND": r.Write, "EDIT_TOKENS_PER_SECOND": r.Edit,
		"FIRST_TURN_SECONDS": r.FirstTurn().Seconds(), "MEMORY_SHARE": r.Share(),
	} {
		prefixed[appliance.ReportPrefix+name] = strconv.FormatFloat(value, 'f', 2, 64)
	}
	return prefixed
}

// WriteMetrics writes the numbers in Prometheus's exposition format.
func (r Result) WriteMetrics(w io.Writer) {
	gauge := func(name, help string, value float64) {
		name = "slm_copilot_benchmark_" + name
		fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n%s %s\n", name, help, name, name, strconv.FormatFloat(value, 'g', -1, 64))
	}
	gauge("time_seconds", "When the speed was measured last, in Unix time.", float64(r.At.Unix()))
	gauge("read_tokens_per_second", "Measured speed of reading a prompt.", r.Read)
	gauge("write_tokens_per_second", "Measured speed of writing a new text.", r.Write)
	if r.Edit > 0 {
		gauge("edit_tokens_per_second", "Measured speed of an answer that repeats most of its prompt.", r.Edit)
	}
	gauge("prompt_tokens", "Length of the prompt that was read.", float64(r.PromptTokens))
	gauge("first_token_seconds", "Time to the first token of the answer to it.", r.FirstToken)
	gauge("stolen_ratio", "Part of the processors' time that the host gave to others meanwhile.", r.Stolen)
	if r.Bandwidth > 0 {
		gauge("memory_bytes_per_second", "Measured bandwidth of the memory.", r.Bandwidth)
		gauge("memory_share_ratio", "Part of that bandwidth that writing uses.", r.Share())
	}
}

// Lines returns the name and value of each part.
func (r Result) Lines() [][2]string {
	lines := [][2]string{
		{"reads", fmt.Sprintf("%s tokens/s (the first token after %d tokens: %s)", rate(r.Read), r.PromptTokens, seconds(r.FirstToken))},
		{"writes", rate(r.Write) + " tokens/s"},
	}
	if r.Edit > 0 {
		lines = append(lines, [2]string{"edits", rate(r.Edit) + " tokens/s, where an answer repeats most of the prompt"})
	}
	lines = append(lines, [2]string{"first turn", r.FirstTurnInWords()})
	if r.Bandwidth > 0 {
		lines = append(lines, [2]string{"memory", fmt.Sprintf("%.1f GB/s, of which writing uses %s", r.Bandwidth/1e9, r.shareInWords())})
	}
	if processor := r.processor(); processor != "" {
		lines = append(lines, [2]string{"processor", processor})
	}
	return append(lines, [2]string{"measured", r.At.UTC().Format(time.RFC3339)})
}

func (r Result) processor() string {
	var parts []string
	if r.Of.Processor != "" {
		parts = append(parts, r.Of.Processor)
	}
	parts = append(parts, r.Features...)
	if r.Kernels != "" {
		parts = append(parts, "kernels for "+r.Kernels)
	}
	return strings.Join(parts, ", ")
}

// shareInWords: tokens that are guessed and found right need no reading of their own.
func (r Result) shareInWords() string {
	if r.Share() >= 1 {
		return "all"
	}
	return fmt.Sprintf("%.0f %%", 100*r.Share())
}

// Sentence says in one line what users may expect.
func (r Result) Sentence() string {
	return fmt.Sprintf("The model reads %s and writes %s tokens/s.", rate(r.Read), rate(r.Write))
}

// FirstTurnInWords says how long a first turn takes. Reading slows down as a prompt grows, by how much is not
// measured.
func (r Result) FirstTurnInWords() string {
	return fmt.Sprintf("10,000 tokens, as coding agents begin with, take %s or more", About(r.FirstTurn()))
}

// Warnings say what makes the machine slower than it need be, and what to do.
func (r Result) Warnings() []string {
	var warnings []string
	warn := func(format string, args ...any) {
		warnings = append(warnings, WarningPrefix+fmt.Sprintf(format, args...))
	}
	if r.Stolen > MuchStolen {
		warn("the host gave %.0f %% of the processors' time to other virtual machines. Pin the processors of this one, or move it to another host", 100*r.Stolen)
	}
	if threads := float64(r.Of.Threads); r.Processors < FewProcessors*threads {
		warn("%d threads do the work of %.1f: they share cores, or the host gives them less. Set %s to what the host has, or pin the processors", r.Of.Threads, r.Processors, appliance.VarThreads)
	}
	if share := r.Share(); share > 0 && share < LowShare && r.BytesPerToken >= smallModel {
		warn("writing uses %.0f %% of what the memory gives. What usually costs the rest: other virtual machines on the host, processors that are not pinned, memory of another NUMA node, a CPU_MODEL that hides instructions", 100*share)
	}
	return warnings
}

// WarningPrefix tells these warnings from others.
const WarningPrefix = "speed: "

func rate(tokens float64) string {
	if tokens < 10 {
		return strconv.FormatFloat(tokens, 'f', 1, 64)
	}
	return strconv.FormatFloat(tokens, 'f', 0, 64)
}

func seconds(s float64) string { return strconv.FormatFloat(s, 'f', 1, 64) + " s" }

// About says a duration in words, as exactly as somebody who waits wants to know.
func About(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return "a few seconds"
	case d < 90*time.Second:
		return fmt.Sprintf("about %d seconds", int(d.Round(5*time.Second).Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("about %d minutes", int(d.Round(time.Minute).Minutes()))
	}
	d = d.Round(10 * time.Minute)
	hours, minutes := int(d.Hours()), int(d.Minutes())%60
	text := "about 1 hour"
	if hours > 1 {
		text = fmt.Sprintf("about %d hours", hours)
	}
	if minutes > 0 {
		text += fmt.Sprintf(" %d minutes", minutes)
	}
	return text
}
