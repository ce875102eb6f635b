package fetch

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestContentRange(t *testing.T) {
	for text, want := range map[string]contentRange{
		"bytes 0-0/1":                   {0, 0, 1},
		"bytes 100-199/200":             {100, 199, 200},
		"bytes 100-199/*":               {100, 199, -1},
		"bytes 0-9223372036854775806/*": {0, 9223372036854775806, -1},
	} {
		got, ok := parseContentRange(text)
		assert.True(t, ok, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{
		"", "bytes", "bytes 1-2", "bytes */200", "bytes 2-1/200", "bytes 100-200/200", "bytes -1-2/3", "bytes +1-2/3",
		"bytes 1-2/-3", "items 1-2/3", "bytes 1-2/3 ", "bytes 0-9223372036854775808/*", "bytes=1-2/3",
	} {
		_, ok := parseContentRange(text)
		assert.False(t, ok, text)
	}
}

func FuzzContentRange(f *testing.F) {
	f.Add("bytes 100-199/200")
	f.Add("bytes 100-199/*")
	f.Fuzz(func(t *testing.T, text string) {
		r, ok := parseContentRange(text)
		if ok && (r.start < 0 || r.end < r.start || r.total != -1 && r.total <= r.end) {
			t.Fatalf("%q became %+v", text, r)
		}
	})
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 3, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"":                              0,
		"0":                             0,
		"7":                             7 * time.Second,
		"-7":                            0,
		"7.5":                           0,
		"86400":                         2 * time.Minute,
		"9223372036854775807":           2 * time.Minute,
		"Mon, 23 Nov 2026 03:00:30 GMT": 30 * time.Second,
		"Mon, 23 Nov 2026 02:00:30 GMT": 0,
		"Tue, 24 Nov 2026 03:00:30 GMT": 2 * time.Minute,
		"tomorrow":                      0,
	} {
		assert.Equal(t, want, parseRetryAfter(text, now), text)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("Mon, 23 Nov 2026 03:00:30 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		if after := parseRetryAfter(text, time.Now()); after < 0 || after > maxRetryAfter {
			t.Fatalf("%q became %s", text, after)
		}
	})
}

func TestValidator(t *testing.T) {
	const date, later = "Mon, 23 Nov 2026 03:00:30 GMT", "Mon, 23 Nov 2026 03:00:31 GMT"
	for want, header := range map[string]map[string]string{
		`"strong"`: {"Etag": `"strong"`, "Last-Modified": date, "Date": later},
		date:       {"Etag": `W/"weak"`, "Last-Modified": date, "Date": later},
	} {
		assert.Equal(t, want, validatorOf(headerOf(header)))
	}
	for _, header := range []map[string]string{
		{}, {"Etag": "bare"}, {"Etag": `""`}, {"Etag": `"`}, {"Last-Modified": date, "Date": date}, {"Last-Modified": date}, {"Last-Modified": "x", "Date": later},
	} {
		assert.Empty(t, validatorOf(headerOf(header)), fmt.Sprint(header))
	}
}

func headerOf(fields map[string]string) http.Header {
	header := http.Header{}
	for name, value := range fields {
		header.Set(name, value)
	}
	return header
}
