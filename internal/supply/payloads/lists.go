package payloads

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/checksums"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// lists returns the possible names of the lists of digests beside a file.
func lists(input lockfile.Input) []string {
	switch input.Kind {
	case lockfile.KindLocalAI:
		return []string{"LocalAI-" + input.Version + "-checksums.txt"}
	case lockfile.KindBaseImage:
		return []string{"SHA256SUMS", "SHA512SUMS"}
	}
	return nil
}

// list looks the file up in a list beside it. It is not an error if there is no list, but it
// is one if the list lacks the file.
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
	content, err := checksums.Read(response.Body)
	if err != nil {
		return told{}, fmt.Errorf("%s: %w", name, sourceuri.WithoutURL(err))
	}
	sums, err := checksums.Find(content, file)
	if errors.Is(err, checksums.ErrNotListed) {
		return told{}, fmt.Errorf("%s, beside it, does not list %s: check the address", name, file)
	}
	if err != nil {
		return told{}, fmt.Errorf("%s, beside it: %w", name, err)
	}
	return told{sha256: sums.SHA256, sha512: sums.SHA512, by: name}, nil
}
