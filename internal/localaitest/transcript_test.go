package localaitest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// transcript is one recorded exchange: the lines after ">" are the request, then comes
// the response as curl -i shows it, then a line of timing in brackets.
type transcript struct {
	method, path string
	header       http.Header
	requestBody  string
	status       int
	answer       http.Header
	body         string
	// cut says that the recording holds only the start of the body.
	cut bool
}

func readTranscript(t *testing.T, name string) transcript {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", "transcripts", name))
	require.NoError(t, err)
	tr := transcript{header: http.Header{}, answer: http.Header{}}
	lines := bufio.NewReader(bytes.NewReader(content))
	tr.readRequest(t, lines)
	tr.readResponse(t, lines)
	return tr
}

func (tr *transcript) readRequest(t *testing.T, lines *bufio.Reader) {
	t.Helper()
	inBody := false
	for {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		line = strings.TrimSuffix(line, "\n")
		rest, isRequest := strings.CutPrefix(line, ">")
		rest = strings.TrimPrefix(rest, " ")
		switch {
		case line == "":
			tr.requestBody = expand(t, tr.requestBody)
			return
		case !isRequest: // the comment on top
		case tr.method == "":
			tr.method, tr.path, _ = strings.Cut(rest, " ")
		case inBody:
			tr.requestBody += rest
		case rest == "":
			inBody = true
		default:
			name, value, _ := strings.Cut(rest, ":")
			// "Expect:" is how curl is told to leave a header out.
			if value != "" {
				tr.header.Add(name, strings.TrimSpace(value))
			}
		}
	}
}

var fromFile = regexp.MustCompile(`^<(\d+) bytes from a file: '(.*)'\.\.\.>$`)

// expand makes a body that was too long to be recorded: its start, its size, and the
// letter that fills it are known, and that 22 bytes follow the letters.
func expand(t *testing.T, body string) string {
	t.Helper()
	parts := fromFile.FindStringSubmatch(body)
	if parts == nil {
		return body
	}
	const end = `"}], "max_tokens": 16}`
	size, err := strconv.Atoi(parts[1])
	require.NoError(t, err)
	return parts[2] + strings.Repeat("a", size-len(parts[2])-len(end)) + end
}

func (tr *transcript) readResponse(t *testing.T, lines *bufio.Reader) {
	t.Helper()
	head, err := lines.ReadString('\n')
	require.NoError(t, err)
	_, err = fmt.Sscanf(head, "HTTP/1.1 %d", &tr.status)
	require.NoError(t, err, head)
	for {
		line, err := lines.ReadString('\n')
		require.NoError(t, err)
		line = strings.TrimRight(line, "\r\n")
		if line == "" {
			break
		}
		name, value, found := strings.Cut(line, ": ")
		require.True(t, found, line)
		tr.answer.Add(name, value)
	}
	body, err := io.ReadAll(lines)
	require.NoError(t, err)
	tr.body, _, _ = strings.Cut(string(body), "\n[")
	if start, _, found := strings.Cut(tr.body, "\n... ["); found {
		tr.body, tr.cut = start, true
	}
	tr.body = strings.TrimSpace(tr.body)
}

// exchange is an answer in the form two of which can be compared: what varies from run to
// run is replaced by its kind.
type exchange struct {
	Status int
	Header http.Header
	Body   []any
}

// lengthHeaders and the date depend on the text and the time.
var varyingHeaders = []string{"Date", "Content-Length", "Transfer-Encoding"}

func normalized(t *testing.T, status int, header http.Header, body string, cut bool) exchange {
	t.Helper()
	header = header.Clone()
	for _, name := range varyingHeaders {
		header.Del(name)
	}
	if id := header.Get("X-Correlation-Id"); id != "" {
		require.Regexp(t, uuid, id)
		header.Set("X-Correlation-Id", "ID")
	}
	return exchange{Status: status, Header: header, Body: normalizedBody(t, header.Get("Content-Type"), strings.TrimSpace(body), cut)}
}

var uuid = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

// normalizedBody returns the JSON values of a body: one, or one per event.
func normalizedBody(t *testing.T, contentType, body string, cut bool) []any {
	t.Helper()
	switch {
	case body == "":
		return nil
	case contentType == "text/event-stream":
		var events []any
		for _, event := range strings.Split(body, "\n\n") {
			data, isData := strings.CutPrefix(event, "data: ")
			require.True(t, isData, event)
			events = append(events, normalizedEvent(t, data))
		}
		return events
	case strings.HasPrefix(contentType, "text/html"):
		doctype, _, _ := strings.Cut(body, "\n")
		return []any{doctype}
	case strings.HasPrefix(contentType, "text/plain"):
		lines := strings.SplitN(body, "\n", 3)
		return []any{lines[0], lines[1]}
	}
	require.False(t, cut, "a JSON body that was cut cannot be compared")
	return []any{normalizedJSON(t, body)}
}

func normalizedEvent(t *testing.T, data string) any {
	t.Helper()
	if data == "[DONE]" {
		return data
	}
	return normalizedJSON(t, data)
}

func normalizedJSON(t *testing.T, text string) any {
	t.Helper()
	var value any
	require.NoError(t, json.Unmarshal([]byte(text), &value), text)
	return normalizedValue("", value)
}

// normalizedValue keeps everything but ids, times, generated text and token counts. A
// count of 0 stays: plain completions report nothing else.
func normalizedValue(key string, value any) any {
	switch value := value.(type) {
	case map[string]any:
		for name, inner := range value {
			value[name] = normalizedValue(name, inner)
		}
	case []any:
		for i, inner := range value {
			value[i] = normalizedValue(key, inner)
		}
	case string:
		if slices.Contains([]string{"content", "text"}, key) {
			return "TEXT"
		}
		if key == "id" && uuid.MatchString(value) {
			return "ID"
		}
	case float64:
		if value != 0 && slices.Contains([]string{"created", "prompt_tokens", "completion_tokens", "total_tokens"}, key) {
			return "NUMBER"
		}
	}
	return value
}
