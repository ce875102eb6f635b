package acme

import (
	"strings"
	"unicode"
)

// maxSummary is in bytes: the summary is part of one line of the log and of the report.
const maxSummary = 400

// noise are the prefixes of certbot's lines that do not explain a failure (certbot 2.1 to 4).
var noise = []string{
	"Saving debug log to", "Account registered", "Requesting a certificate for", "Renewing an existing certificate for",
	"Hint:", "Ask for help or search for solutions", "Some challenges have failed", "An unexpected error occurred:", "- - -",
}

// summary makes one short line of certbot's output.
func summary(output []byte) string {
	var said []string
	for line := range strings.Lines(strings.ToValidUTF8(string(output), "?")) {
		line = strings.Join(strings.FieldsFunc(line, blank), " ")
		if line != "" && !isNoise(line) {
			said = append(said, line)
		}
	}
	text := strings.Join(said, " ")
	if len(text) > maxSummary {
		text = strings.ToValidUTF8(text[:maxSummary], "") + " ..."
	}
	return text
}

// blank counts control characters too: the text ends in a terminal.
func blank(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }

func isNoise(line string) bool {
	for _, start := range noise {
		if strings.HasPrefix(line, start) {
			return true
		}
	}
	return false
}
