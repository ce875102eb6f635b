package payloads

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// listSize is the most that is read of a list, in bytes.
const listSize = 1 << 20

// lists are the names of the lists of digests that may be beside a file.
func lists(input lockfile.Input) []string {
	switch input.Kind {
	case lockfile.KindLocalAI:
		return []string{"LocalAI-" + input.Version + "-checksums.txt"}
	case lockfile.KindBaseImage:
		return []string{"SHA256SUMS", "SHA512SUMS"}
	}
	return nil
}

// list looks the file up in a list beside it. There being no list is not an error, its not
// holding the file is.
func (p *publisher) list(ctx context.Context, source, name string) (told, error) {
	u, err := url.Parse(source)
	if err != nil {
		return told{}, errors.New("is not a URL that can be read")
	}
	file := path.Base(u.Path)
	u.Path = path.Join(path.Dir(u.Path), name)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return told{}, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return told{}, fmt.Errorf("%s: %w", name, sourceuri.WithoutURL(err))
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusNotFound {
		return told{}, nil
	}
	if response.StatusCode != http.StatusOK {
		return told{}, fmt.Errorf("%s: %s answered %s", name, u.Host, response.Status)
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, listSize))
	if err != nil {
		return told{}, fmt.Errorf("%s: %w", name, sourceuri.WithoutURL(err))
	}
	answer := lookUp(string(content), file)
	if answer == (told{}) {
		return told{}, fmt.Errorf("%s, beside it, does not list %s: check the address", name, file)
	}
	answer.by = name
	return answer, nil
}

// lookUp finds a file in a list as sha256sum and sha512sum write it: "<digest>  <name>", with
// an asterisk before the name where it was read as binary. Lines of another form are passed
// over. Two different digests of one name are none.
func lookUp(list, file string) told {
	var found told
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) != 2 || strings.TrimPrefix(strings.TrimPrefix(fields[1], "*"), "./") != file {
			continue
		}
		var next told
		switch digits := strings.ToLower(fields[0]); {
		case isHex(digits, 64):
			next.sha256 = digits
		case isHex(digits, 128):
			next.sha512 = digits
		default:
			continue
		}
		if found != (told{}) && found != next {
			return told{}
		}
		found = next
	}
	return found
}

func isHex(text string, length int) bool {
	return len(text) == length && strings.Trim(strings.ToLower(text), "0123456789abcdef") == ""
}
