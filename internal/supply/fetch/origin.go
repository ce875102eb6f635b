package fetch

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"time"
)

// origin identifies the version of a remote file that the bytes of a part come from.
type origin struct {
	// Validator is sent in If-Range: a strong ETag or a date; empty if the server gave none.
	Validator string `json:"validator"`
	// Size is that of the whole file in bytes; 0 if the server did not state it.
	Size int64 `json:"size"`
}

// continues reports whether a download of p may be resumed. Without a digest to check the
// result, the server must be able to tell whether the file is still the same.
func (o origin) continues(p Payload) bool { return p.Checksum != "" || o.Validator != "" }

// originOf returns the origin stated in the response to a request for the whole file.
func originOf(response *http.Response) origin {
	return origin{Validator: validatorOf(response.Header), Size: max(response.ContentLength, 0)}
}

// validatorOf never returns a weak validator: two files may share one (RFC 9110, 8.8).
func validatorOf(header http.Header) string {
	if tag := header.Get("ETag"); strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) && len(tag) > 2 {
		return tag
	}
	// A date has a resolution of one second, so it cannot identify a file modified less than a
	// second before.
	modified, err := http.ParseTime(header.Get("Last-Modified"))
	if err != nil {
		return ""
	}
	sent, err := http.ParseTime(header.Get("Date"))
	if err != nil || sent.Sub(modified) < time.Second {
		return ""
	}
	return header.Get("Last-Modified")
}

func readOrigin(path string) (origin, bool) {
	content, err := os.ReadFile(path)
	if err != nil {
		return origin{}, false
	}
	var o origin
	if json.Unmarshal(content, &o) != nil || o.Size < 0 {
		return origin{}, false
	}
	return o, true
}

func (o origin) write(path string) error {
	content, err := json.Marshal(o)
	if err != nil {
		return err
	}
	return os.WriteFile(path, content, 0o644)
}
