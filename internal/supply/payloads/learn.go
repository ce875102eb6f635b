package payloads

import (
	"context"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
)

// learn asks the publisher for the digest, and downloads the file only if the publisher does
// not state it and the lock has none or is to be updated.
func (t *Tools) learn(ctx context.Context, ask *publisher, input lockfile.Input) (told, error) {
	token := t.Token(input.Kind)
	switch {
	case ociimage.IsReference(input.Source):
		return t.resolve(ctx, input, token)
	case !fetch.IsURL(input.Source):
		file, err := t.Fetcher.Fetch(ctx, fetch.Payload{Field: input.Kind, Source: input.Source, Checksum: fetch.Unchecked})
		return told{sha256: file.SHA256, size: file.Size, by: "the file"}, err
	}
	answer, err := ask.ask(ctx, input, token)
	if err != nil || answer.sha256 != "" || input.Digest != "" && !t.Update {
		return answer, err
	}
	return t.download(ctx, input, answer)
}

// resolve asks the registry for what the tag refers to now, and checks that it exists for
// every architecture the input is for.
func (t *Tools) resolve(ctx context.Context, input lockfile.Input, token string) (told, error) {
	var answer told
	resolved := ""
	served := serves(input.Arch)
	for _, arch := range served {
		found, size, err := t.Puller.Resolve(ctx, ociimage.Request{
			Field: input.Kind, Source: input.Source, Digest: resolved, Arch: arch, Token: token,
		})
		if err != nil && resolved != "" {
			return told{}, fmt.Errorf("%w; if it serves %s alone, say so in the lock with arch = %q", err, served[0], served[0])
		}
		if err != nil {
			return told{}, err
		}
		resolved = found
		// Several images have no single size.
		if len(served) == 1 {
			answer.size = size
		}
	}
	answer.sha256, answer.by = strings.TrimPrefix(resolved, digest.SHA256Prefix), "its registry"
	return answer, nil
}

// serves returns the architectures that an input with this arch is for.
func serves(arch string) []string {
	if arch != "" {
		return []string{arch}
	}
	return []string{"amd64", "arm64"}
}

// download computes the digest from the file itself. If the publisher's list states a SHA-512,
// the file must match it.
func (t *Tools) download(ctx context.Context, input lockfile.Input, answer told) (told, error) {
	file, err := t.Fetcher.Fetch(ctx, fetch.Payload{Field: input.Kind, Source: input.Source, Token: t.Token(input.Kind)})
	if err != nil {
		return told{}, err
	}
	learnt := told{sha256: file.SHA256, size: file.Size, by: "its download; nobody tells it"}
	if answer.sha512 == "" {
		return learnt, nil
	}
	sum := sha512.New()
	if _, err := digest.Sum(ctx, file.Path, t.Fetcher.Meter("SHA-512", file.Size), sum); err != nil {
		return told{}, err
	}
	if actual := hex.EncodeToString(sum.Sum(nil)); actual != answer.sha512 {
		return told{}, fmt.Errorf("its SHA-512 is %s, but %s says %s: it was damaged or replaced on its way", actual, answer.by, answer.sha512)
	}
	learnt.by = "its download, whose SHA-512 is in " + answer.by
	return learnt, nil
}
