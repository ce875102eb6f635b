package onedtest

import (
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// step is one recording, and what is done before its request is sent.
type step struct {
	name   string
	before func(*scene)
	// held is whether copies and deletions go on during it.
	held bool
	// session is whose it is, that of oneadmin if there is none.
	session string
	// without are elements that differ for a reason.
	without []string
}

func recordings(t *testing.T, version string) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/transcripts/" + version + "/*.request.xml")
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(file), ".request.xml"))
	}
	return names
}

// TestAnswersAreThoseOfTheRecordings sends the recorded requests in the order in which
// their states follow each other, and compares every element of the answers.
func TestAnswersAreThoseOfTheRecordings(t *testing.T) {
	for version, steps := range map[string][]step{"7.0.0": steps70, "7.4.0": steps74} {
		t.Run(version, func(t *testing.T) {
			s := newScene(t, version)
			var claimed []string
			for _, step := range steps {
				claimed = append(claimed, step.name)
				if !t.Run(step.name, func(t *testing.T) { s.replay(t, version, step) }) {
					t.FailNow()
				}
			}
			slices.Sort(claimed)
			assert.Equal(t, slices.Sorted(slices.Values(recordings(t, version))), claimed, "each recording is replayed once")
		})
	}
}

// TestNoRecordingIsForgotten compares with the list of all that were made.
func TestNoRecordingIsForgotten(t *testing.T) {
	list, err := os.ReadFile("testdata/transcripts/7.0.0/recordings.txt")
	require.NoError(t, err)
	mentioned := slices.Collect(maps.Keys(notReplayed))
	for _, step := range steps70 {
		mentioned = append(mentioned, step.name)
	}
	assert.ElementsMatch(t, strings.Fields(string(list)), mentioned)
}

func (s *scene) replay(t *testing.T, version string, step step) {
	s.T = t
	if !s.held {
		s.settled()
	}
	s.held = step.held
	s.oned.Hold(s.held)
	if step.before != nil {
		step.before(s)
	}
	if !s.held {
		s.settled()
	}
	file := "testdata/transcripts/" + version + "/" + step.name
	request, err := os.ReadFile(file + ".request.xml")
	require.NoError(t, err)
	session := step.session
	if session == "" {
		session = Admin + ":" + AdminPassword
	}
	want, err := os.ReadFile(file + ".response.xml")
	require.NoError(t, err)
	got := s.post(t, strings.Replace(s.here(string(request)), "user:REDACTED", session, 1))
	assert.Equal(t, normal(string(want), step.without), normal(s.there(got), step.without))
}

// post sends GET for nothing, as the recording did.
func (s *scene) post(t *testing.T, body string) string {
	t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	request, err := http.NewRequestWithContext(t.Context(), method, s.oned.Endpoint(), strings.NewReader(body))
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(answer)
}

// changing are elements that no two front-ends have in common.
var changing = []string{"REGTIME", "MODTIME", "TIME", "REQ_ID", "TOTAL_MB", "FREE_MB", "USED_MB", "TOKEN_PASSWORD"}

// blurred are texts of that kind: times, names of files, positions in texts, lengths.
var blurred = []struct{ is, becomes string }{
	{`[A-Z][a-z]{2} [A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8} [0-9]{4} : `, "TIME : "},
	{`(/|:18081/)[0-9a-f]{32}`, "${1}HASH"},
	{`at line [0-9]+, columns [0-9]+:[0-9]+`, "at POSITION"},
	{`[0-9]+-byte supposed`, "N-byte supposed"},
}

// normal writes XML with one line for each element; what is in a string is XML again.
func normal(document string, without []string) string {
	for _, blur := range blurred {
		document = regexp.MustCompile(blur.is).ReplaceAllString(document, blur.becomes)
	}
	if !strings.HasPrefix(document, "<?xml") {
		return document
	}
	return outline(document, slices.Concat(changing, without), "")
}

func outline(document string, without []string, indent string) string {
	var b strings.Builder
	var path []string
	var last string
	d := xml.NewDecoder(strings.NewReader(document))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return b.String()
		}
		if err != nil {
			return document
		}
		switch token := token.(type) {
		case xml.StartElement:
			path = append(path, token.Name.Local)
			b.WriteString(indent + strings.Repeat(" ", len(path)) + token.Name.Local + "\n")
			last = ""
		case xml.CharData:
			last += string(token)
		case xml.EndElement:
			name := path[len(path)-1]
			switch path = path[:len(path)-1]; {
			case slices.Contains(without, name):
			case name == "string" && strings.HasPrefix(last, "<"):
				b.WriteString(outline(last, without, indent+"  "))
			case name != "data" && strings.TrimSpace(last) != "" || name == "string":
				b.WriteString(indent + " = " + last + "\n")
			}
			last = ""
		}
	}
}
