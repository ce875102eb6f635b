package status

import (
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

const (
	// maxNotes and maxNote keep the message on one screen; slm-copilot status has the rest.
	maxNotes = 8
	// maxNote is in characters.
	maxNote = 100
)

// messageOfTheDay is what people see at login. It contains the phrase OpenNebula looks for
// only if the appliance is ready, and never a secret.
func messageOfTheDay(s Status) string {
	var out strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&out, "    "+format+"\n", args...) }
	out.WriteByte('\n')
	line("%s, a private coding copilot", appliance.Title)
	out.WriteByte('\n')
	line("%s", state(s))
	if s.Ready() && s.Speed != nil {
		line("%s", s.Speed.Sentence())
		line("%s.", s.Speed.FirstTurnInWords())
	}
	for _, note := range notes(s) {
		line("- %s", note)
	}
	line("Endpoint and password: sudo slm-copilot report")
	line("Log: %s", appliance.LogFile)
	out.WriteByte('\n')
	return out.String()
}

func state(s Status) string {
	switch {
	case s.Ready():
		return appliance.ReadyPhrase + " 8)"
	case s.Stage == appliance.ConfigureFailure && len(s.Mistakes) > 0:
		return "The settings of this virtual machine were refused. See: slm-copilot status"
	case s.Stage == appliance.ConfigureFailure:
		return "The settings of this virtual machine could not be applied. See: slm-copilot status"
	case s.Stage == appliance.BootstrapFailure:
		return "The model does not answer. See: slm-copilot status"
	}
	return "Starting: the model is being loaded. See: slm-copilot status"
}

// notes are the refused settings and the warnings, in short lines.
func notes(s Status) []string {
	var notes []string
	for _, mistake := range s.Mistakes {
		notes = append(notes, short("refused: "+mistake))
	}
	for _, warning := range s.Warnings {
		notes = append(notes, short("warning: "+warning))
	}
	if more := len(notes) - maxNotes; more > 0 {
		notes = append(notes[:maxNotes], fmt.Sprintf("and %d more", more))
	}
	return notes
}

// short truncates a note. A note may repeat what a user wrote, which must not be mistaken for
// the phrase that says the appliance is ready.
func short(note string) string {
	note = strings.ReplaceAll(Line(note), appliance.ReadyPhrase, "...")
	if characters := []rune(note); len(characters) > maxNote {
		note = string(characters[:maxNote-3]) + "..."
	}
	return note
}
