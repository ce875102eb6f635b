package sse

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func events(t *testing.T, source io.Reader) (raw string, data []string, err error) {
	t.Helper()
	reader := NewReader(source)
	for {
		event, err := reader.Next()
		if err != nil {
			return raw, data, err
		}
		raw += string(event.Raw)
		if event.Data != nil {
			data = append(data, string(event.Data))
		}
	}
}

func TestReader(t *testing.T) {
	for name, tt := range map[string]struct {
		sent string
		data []string
		err  error
	}{
		"one":                 {"data: a\n\n", []string{"a"}, io.EOF},
		"without a blank":     {"data:a\n\n", []string{"a"}, io.EOF},
		"two blanks":          {"data:  a\n\n", []string{" a"}, io.EOF},
		"several lines":       {"data: a\ndata: b\n\n", []string{"a\nb"}, io.EOF},
		"empty data":          {"data:\n\n", []string{""}, io.EOF},
		"a name":              {"event: x\ndata: a\nid: 1\n\n", []string{"a"}, io.EOF},
		"a comment":           {": data: a\n\ndata: b\n\n", []string{"b"}, io.EOF},
		"an empty line more":  {"\ndata: a\n\n\n", []string{"a"}, io.EOF},
		"CR and LF":           {"data: a\r\n\r\n", []string{"a"}, io.EOF},
		"nothing":             {"", nil, io.EOF},
		"cut in a line":       {"data: a\n\ndata", []string{"a"}, io.ErrUnexpectedEOF},
		"cut before the end":  {"data: a\n", nil, io.ErrUnexpectedEOF},
		"longer than buffers": {"data: " + strings.Repeat("a", 1<<16) + "\n\n", []string{strings.Repeat("a", 1<<16)}, io.EOF},
		"too large":           {"data: " + strings.Repeat("a", MaxEvent) + "\n\n", nil, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			raw, data, err := events(t, strings.NewReader(tt.sent))
			require.ErrorIs(t, err, tt.err)
			assert.Equal(t, tt.data, data)
			if errors.Is(tt.err, io.EOF) && !errors.Is(tt.err, io.ErrUnexpectedEOF) {
				assert.Equal(t, tt.sent, raw)
			}
		})
	}
}

func TestWriters(t *testing.T) {
	assert.Equal(t, ": a\n\n", string(Comment("a")))
	assert.Equal(t, "data: {\"a\":\"<&>\"}\n\n", string(Data(map[string]string{"a": "<&>"})))
	assert.Equal(t, "event: ping\ndata: 1\n\n", string(Named("ping", 1)))
}

// Bytes in are bytes out, in whatever pieces they arrive.
func FuzzReader(f *testing.F) {
	f.Add("data: a\n\n: b\r\n\r\n")
	f.Fuzz(func(t *testing.T, sent string) {
		raw, data, err := events(t, strings.NewReader(sent))
		again, dataAgain, _ := events(t, iotest.OneByteReader(strings.NewReader(sent)))
		assert.Equal(t, raw, again)
		assert.Equal(t, data, dataAgain)
		assert.True(t, strings.HasPrefix(sent, raw))
		if errors.Is(err, io.EOF) {
			assert.Equal(t, sent, raw)
		}
	})
}
