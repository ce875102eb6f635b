// Package licenses holds the texts of the licences of what is baked into an image besides the
// packages of its distribution, and writes them as one file. Most licences want their text to
// come with every copy, with the names of the holders of the rights: an identifier is not enough.
package licenses

import (
	_ "embed"
	"fmt"
	"strings"
)

// The texts are the files LICENSE of the projects: of LocalAI v4.9.0, and of the llama.cpp that
// its backend of that release is built from (commit 60addddf3c56). Apache-2.0 is this project's
// own, which is https://www.apache.org/licenses/LICENSE-2.0.txt.
var (
	//go:embed texts/LocalAI.txt
	localAI string
	//go:embed texts/llama.cpp.txt
	llamaCPP string
	//go:embed texts/Apache-2.0.txt
	apache string
	// modules holds the texts of Go and of the modules that the agent is linked with, as their
	// test collects them.
	//go:embed texts/modules.txt
	modules string
)

// listed are the licences whose text is the same for every work. That of MIT or BSD is not: it
// names the holder of the rights.
var listed = map[string]string{"Apache-2.0": apache}

// Work is something in the image that somebody has rights in.
type Work struct {
	Name, Version string
	// License is an SPDX expression; empty if unknown.
	License string
	// Text is that of the licence; Work is listed without it if that is empty.
	Text string
}

// Agent returns the program of this project, and what it is linked with.
func Agent(name, version string) []Work {
	return []Work{
		{Name: name, Version: version, License: "Apache-2.0", Text: apache},
		{Name: "Go, and the modules that the agent is linked with", License: "BSD-3-Clause AND MIT", Text: modules},
	}
}

// ownLicense is that of LocalAI and of llama.cpp, in all of their releases so far.
const ownLicense = "MIT"

// LocalAI returns the inference engine. One that says to be under another licence is another
// program, whose text is not known here.
func LocalAI(version, license string) Work {
	return Work{"LocalAI", version, license, textIf(license, localAI)}
}

// Backend returns LocalAI's llama-cpp backend, with the reservation of LocalAI.
func Backend(version, license string) Work {
	return Work{"llama.cpp, as LocalAI's backend", version, license, textIf(license, llamaCPP)}
}

func textIf(license, text string) string {
	if license != "" && license != ownLicense {
		return ""
	}
	return text
}

// Texts returns the texts of the licences in an SPDX expression, and the identifiers of those
// whose text is not known here.
func Texts(expression string) (texts string, unknown []string) {
	var found []string
	for _, word := range strings.FieldsFunc(expression, func(r rune) bool { return strings.ContainsRune(" ()", r) }) {
		switch text, known := listed[word]; {
		case word == "AND" || word == "OR" || word == "WITH":
		case known:
			found = append(found, text)
		default:
			unknown = append(unknown, word)
		}
	}
	return strings.Join(found, "\n"), unknown
}

const rule = "================================================================================\n"

// Format returns the file. A text that several works share is written once.
func Format(works []Work) string {
	var file strings.Builder
	file.WriteString("Licences of what was baked into this image. Those of the packages of its distribution are in\n" +
		"/usr/share/doc/<package>/copyright.\n\n")
	for _, w := range works {
		fmt.Fprintf(&file, "- %s\n", w.title())
	}
	first := map[string]Work{}
	for _, w := range works {
		file.WriteString("\n" + rule + w.title() + "\n" + rule + "\n")
		earlier, written := first[w.Text]
		switch {
		case w.Text == "":
			file.WriteString("Its text did not come with it: ask its publisher for it.\n")
		case written:
			fmt.Fprintf(&file, "The text is that of %s, above.\n", earlier.Name)
		default:
			first[w.Text] = w
			file.WriteString(strings.Trim(w.Text, "\n") + "\n")
		}
	}
	return file.String()
}

func (w Work) title() string {
	title := w.Name
	if w.Version != "" {
		title += " " + w.Version
	}
	if w.License == "" {
		return title + " (no licence is stated)"
	}
	return title + " (" + w.License + ")"
}
