package fetch

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// contentRange is a parsed Content-Range header. total is -1 if the server does not state it.
type contentRange struct{ start, end, total int64 }

// parseContentRange parses "bytes 100-199/200" or "bytes 100-199/*".
func parseContentRange(text string) (contentRange, bool) {
	span, found := strings.CutPrefix(text, "bytes ")
	first, rest, dashed := strings.Cut(span, "-")
	last, all, slashed := strings.Cut(rest, "/")
	if !found || !dashed || !slashed {
		return contentRange{}, false
	}
	r := contentRange{total: -1}
	var ok [3]bool
	r.start, ok[0] = parseSize(first)
	r.end, ok[1] = parseSize(last)
	ok[2] = all == "*"
	if !ok[2] {
		r.total, ok[2] = parseSize(all)
	}
	sound := r.start <= r.end && (r.total < 0 || r.end < r.total)
	return r, ok == [3]bool{true, true, true} && sound
}

// parseSize accepts only digits; strconv would accept a sign as well.
func parseSize(text string) (int64, bool) {
	n, err := strconv.ParseUint(text, 10, 63)
	return int64(n), err == nil
}

// maxRetryAfter prevents a server from delaying a build for a day.
const maxRetryAfter = 2 * time.Minute

// parseRetryAfter parses seconds or an HTTP date; it returns 0 for anything else and for a
// past date.
func parseRetryAfter(text string, now time.Time) time.Duration {
	if seconds, ok := parseSize(text); ok {
		return time.Duration(min(seconds, int64(maxRetryAfter/time.Second))) * time.Second
	}
	date, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return min(max(date.Sub(now), 0), maxRetryAfter)
}
