// Package status stores the state of the appliance: for programs in two files, for people who
// log in as the message of the day. None of it contains a secret; anybody may read it.
package status

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/printable"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/speed"
)

// Status is the document in appliance.StatusJSON.
type Status struct {
	// Stage is one of the status words of package appliance.
	Stage string    `json:"stage"`
	Since time.Time `json:"since"`
	// Host is the name or address a client connects to first.
	Host        string `json:"host,omitempty"`
	Image       *Image `json:"image,omitempty"`
	Model       string `json:"model,omitempty"`
	ContextSize int    `json:"context_size,omitempty"`
	// CacheTokens is how many tokens of conversations the engine keeps.
	CacheTokens int `json:"cache_tokens,omitempty"`
	Threads     int `json:"threads,omitempty"`
	// Speed is what the last benchmark has measured.
	Speed *speed.Result `json:"speed,omitempty"`
	// Autocomplete is the prompt with which the model fills in the middle, with {{{prefix}}} and {{{suffix}}} in their
	// places; empty if it does not.
	Autocomplete string `json:"autocomplete,omitempty"`
	// Keys are the names of the keys beside the password.
	Keys        []string     `json:"keys,omitempty"`
	Certificate *Certificate `json:"certificate,omitempty"`
	LastError   string       `json:"last_error,omitempty"`
	// Warnings are what works differently from the settings, one sentence each.
	Warnings []string `json:"warnings,omitempty"`
	// Mistakes are the settings that were refused, one each; the last good ones are in
	// force then.
	Mistakes []string `json:"mistakes,omitempty"`
}

// Image says what the image contains.
type Image struct {
	// Appliance and LocalAI are versions.
	Appliance string `json:"appliance,omitempty"`
	LocalAI   string `json:"localai,omitempty"`
	// Model and Quantization are for people: "Devstral Small 2 24B", "Q4_K_M".
	Model        string `json:"model,omitempty"`
	Quantization string `json:"quantization,omitempty"`
}

// Lines returns the name and value of each part that is known.
func (i *Image) Lines() [][2]string {
	if i == nil {
		return nil
	}
	known := func(texts ...string) string {
		return strings.Join(slices.DeleteFunc(texts, func(text string) bool { return text == "" }), ", ")
	}
	lines := [][2]string{{"appliance", i.Appliance}, {"localai", i.LocalAI}, {"weights", known(i.Model, i.Quantization)}}
	return slices.DeleteFunc(lines, func(line [2]string) bool { return line[1] == "" })
}

// Certificate describes the server certificate in use.
type Certificate struct {
	Subject  string    `json:"subject"`
	Issuer   string    `json:"issuer"`
	NotAfter time.Time `json:"not_after"`
	// Fingerprint is the SHA-256, as browsers show it.
	Fingerprint string `json:"fingerprint"`
	// Source is one of the words below; empty means SourceOwn.
	Source string `json:"source,omitempty"`
}

// Where a server certificate can come from.
const (
	// SourceOwn is the VM's own CA, which clients have to be told to trust.
	SourceOwn = "own CA"
	// SourceACME is an ACME server.
	SourceACME = "ACME"
	// SourceOperator is the operator's own, given in the context.
	SourceOperator = "operator"
	// SourceUnknown is what nginx serves although another one is configured.
	SourceUnknown = "unknown"
)

// Ready reports whether a real token came through nginx since the last change.
func (s Status) Ready() bool { return s.Stage == appliance.BootstrapSuccess }

// maxSize bounds the stored status, in bytes.
const maxSize = 1 << 20

// Store keeps the status of one machine.
type Store struct {
	// Root is put before every path.
	Root string
	Now  func() time.Time
}

// Load returns the stored status; the zero Status if there is none.
func (s Store) Load() (Status, error) {
	text, err := guardedfile.Read(filepath.Join(s.Root, appliance.StatusJSON), maxSize)
	if errors.Is(err, fs.ErrNotExist) {
		return Status{}, nil
	}
	var status Status
	if err == nil {
		err = json.Unmarshal(text, &status)
	}
	if err != nil {
		return Status{}, fmt.Errorf("read %s: %w", appliance.StatusJSON, err)
	}
	return status, nil
}

// Complete reports whether the Save of status was completed: a killed one leaves the old word.
func (s Store) Complete(status Status) bool {
	word, err := guardedfile.Read(filepath.Join(s.Root, appliance.StatusFile), maxSize)
	return err == nil && string(word) == status.Stage+"\n"
}

// Save stores the status with the current time. Only one process at a time may do so. The
// word is written last, and only after the document, so that whoever reads it finds the rest
// up to date. It does not depend on the message of the day, which is a courtesy. The error
// names the files that could not be written.
func (s Store) Save(status Status) error {
	status.Since = s.Now().UTC().Truncate(time.Second)
	status = status.Public()
	document, err := json.MarshalIndent(status, "", "  ")
	if err != nil {
		return err
	}
	if err := s.write(appliance.StatusJSON, string(document)+"\n"); err != nil {
		return err
	}
	return errors.Join(
		s.write(appliance.MOTDFile, messageOfTheDay(status)),
		s.write(appliance.StatusFile, status.Stage+"\n"),
	)
}

func (s Store) write(path, content string) error {
	path = filepath.Join(s.Root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := atomicfile.Sweep(path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return atomicfile.Write(path, []byte(content), 0o644, nil)
}

// maxLine is how much of a sentence is stored, in characters.
const maxLine = 1000

// Public returns the status as it is stored, without what a message must not repeat of a setting: credentials in a
// URL, and more than a line.
func (s Status) Public() Status {
	s.Warnings, s.Mistakes = publicLines(s.Warnings), publicLines(s.Mistakes)
	s.LastError = strings.Join(publicLines(strings.Split(s.LastError, "\n")), "\n")
	return s
}

func publicLines(lines []string) []string {
	public := slices.Clone(lines)
	for i, line := range public {
		line = printable.Masked(line)
		if characters := []rune(line); len(characters) > maxLine {
			line = string(characters[:maxLine]) + "..."
		}
		public[i] = line
	}
	return public
}

// String writes the status for people.
func (s Status) String() string {
	if s.Stage == "" {
		return "stage: never configured\n"
	}
	var out strings.Builder
	line := func(name string, value any) { fmt.Fprintf(&out, "%-12s %v\n", name+":", value) }
	line("stage", s.Stage)
	line("since", s.Since.Format(time.RFC3339))
	for _, part := range s.Image.Lines() {
		line(part[0], Line(part[1]))
	}
	if s.Model != "" {
		line("model", s.Model)
		line("context", fmt.Sprintf("%d tokens", s.ContextSize))
		line("cache", s.Cache())
		line("threads", s.Threads)
	}
	if s.Speed != nil {
		for _, part := range s.Speed.Lines() {
			line(part[0], Line(part[1]))
		}
	}
	if len(s.Keys) > 0 {
		line("keys", strings.Join(s.Keys, ", "))
	}
	if s.Certificate != nil {
		line("certificate", fmt.Sprintf("%s, from %s, until %s", Line(s.Certificate.Subject), Line(s.Certificate.Issuer), s.Certificate.NotAfter.Format(time.DateOnly)))
		line("fingerprint", s.Certificate.Fingerprint)
	}
	for _, warning := range s.Warnings {
		line("warning", Line(warning))
	}
	for _, mistake := range s.Mistakes {
		line("refused", Line(mistake))
	}
	if failure := s.Failure(); failure != "" {
		line("last error", failure)
	}
	return out.String()
}

// Cache says how many conversations the engine keeps, so that their next turn is short.
func (s Status) Cache() string {
	n, noun := max(1, s.CacheTokens/fit.Conversation), "conversations"
	if n == 1 {
		noun = "conversation"
	}
	return fmt.Sprintf("keeps %d %s of %d tokens", n, noun, fit.Conversation)
}

// Failure is the last error in one line, without the refused settings, which are listed
// separately.
func (s Status) Failure() string {
	var lines []string
	for line := range strings.Lines(s.LastError) {
		if line = strings.TrimSpace(line); line != "" && !slices.Contains(s.Mistakes, line) {
			lines = append(lines, Line(line))
		}
	}
	return strings.Join(lines, "; ")
}

// Line makes one line of a text, without control characters for a terminal: it may repeat
// what a user wrote.
func Line(text string) string {
	return printable.Text(strings.Join(strings.Fields(text), " "))
}
