package payloads

import (
	"cmp"
	"context"
	"crypto/sha512"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/ociimage"
)

// Tools are what payloads are brought with.
type Tools struct {
	Fetcher *fetch.Fetcher
	Puller  *ociimage.Puller
	// Token returns the bearer token for inputs of a kind, "" if there is none. It is sent
	// to the host of the source only.
	Token func(kind string) string
	// Say tells a person one line.
	Say func(string)
}

// Pin gives every input of the lock its digest and, where it can be known, its size. What
// the publisher tells is believed the first time and compared ever after: where it differs
// from the lock, the lock is right and that is an error, unless update is set.
//
// The error lists every input that failed; the others are pinned all the same.
func (t *Tools) Pin(ctx context.Context, lock *lockfile.Lock, update bool) error {
	ask := newPublisher()
	var failed []error
	for i := range lock.Inputs {
		input := &lock.Inputs[i]
		answer, err := t.learn(ctx, ask, *input, update)
		if err == nil {
			err = t.settle(input, answer, update)
		}
		if ctx.Err() != nil {
			return errors.Join(append(failed, fmt.Errorf("stopped at %s: %w", input, context.Cause(ctx)))...)
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", input, err))
		}
	}
	return errors.Join(failed...)
}

// learn asks whoever knows, and downloads only what nobody tells and is to be taken anew.
func (t *Tools) learn(ctx context.Context, ask *publisher, input lockfile.Input, update bool) (told, error) {
	token := t.Token(input.Kind)
	switch {
	case ociimage.IsReference(input.Source):
		return t.resolve(ctx, input, token)
	case !fetch.IsURL(input.Source):
		file, err := t.Fetcher.Fetch(ctx, fetch.Payload{Field: input.Kind, Source: input.Source, Checksum: fetch.Unchecked})
		return told{sha256: file.SHA256, size: file.Size, by: "the file"}, err
	}
	answer, err := ask.ask(ctx, input, token)
	if err != nil || answer.sha256 != "" || input.Digest != "" && !update {
		return answer, err
	}
	return t.download(ctx, input, answer)
}

// resolve asks the registry what the tag names now, and whether that is there for every
// architecture it is to serve.
func (t *Tools) resolve(ctx context.Context, input lockfile.Input, token string) (told, error) {
	var answer told
	digest := ""
	served := serves(input.Arch)
	for _, arch := range served {
		found, size, err := t.Puller.Resolve(ctx, ociimage.Request{
			Field: input.Kind, Source: input.Source, Digest: digest, Arch: arch, Token: token,
		})
		if err != nil {
			return told{}, err
		}
		digest = found
		// Of several images there is no one size.
		if len(served) == 1 {
			answer.size = size
		}
	}
	answer.sha256, answer.by = strings.TrimPrefix(digest, "sha256:"), "its registry"
	return answer, nil
}

// serves are the architectures an input with this one is for.
func serves(arch string) []string {
	if arch != "" {
		return []string{arch}
	}
	return []string{"amd64", "arm64"}
}

// download learns the digest from the file itself, which must be the one in the publisher's
// list, if that is one of SHA-512.
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

// settle compares what was learnt with what the lock says, and fills in what it does not.
func (t *Tools) settle(input *lockfile.Input, answer told, update bool) error {
	now := "sha256:" + answer.sha256
	switch {
	case answer.sha256 == "" && input.Size > 0 && answer.size > 0 && input.Size != answer.size:
		return fmt.Errorf("its publisher replaced it: the lock says %d bytes, it now has %d; %s", input.Size, answer.size, takeNew)
	case answer.sha256 == "":
		t.Say(fmt.Sprintf("%s: pinned; nobody tells its digest to compare", input))
		input.Size = cmp.Or(input.Size, answer.size)
		return nil
	case input.Digest == now:
		t.Say(fmt.Sprintf("%s: pinned, and still the same (from %s)", input, answer.by))
	case input.Digest == "":
		t.Say(fmt.Sprintf("%s: trusted on first use: %s (from %s)", input, now, answer.by))
	case update:
		t.Say(fmt.Sprintf("%s: replaced %s; trusted on first use: %s (from %s)", input, input.Digest, now, answer.by))
		input.Size = 0
	default:
		return fmt.Errorf("its publisher replaced it: the lock says %s, it is now %s (from %s); %s", input.Digest, now, answer.by, takeNew)
	}
	input.Digest, input.Size = now, cmp.Or(answer.size, input.Size)
	return nil
}

const takeNew = "find out why, then take the new one with `make lock UPDATE=1`"
