package payloads

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/ociimage"
)

// Tools are what Pin and Collect use.
type Tools struct {
	Fetcher *fetch.Fetcher
	Puller  *ociimage.Puller
	// Token returns the bearer token for inputs of a kind, "" if there is none. It is sent
	// only to the host of the source.
	Token func(kind string) string
	// Update accepts a file that its publisher has replaced.
	Update bool
	// Say receives one line for the user.
	Say func(string)
}

// Pin sets the digest of every input of the lock and, if it is known, the size. What the
// publisher states is trusted the first time and compared afterwards: if it differs from the
// lock, that is an error, unless Update is set.
//
// The error lists every input that failed; the others are pinned all the same.
func (t *Tools) Pin(ctx context.Context, lock *lockfile.Lock) error {
	ask := newPublisher()
	var failed []error
	for i := range lock.Inputs {
		input := &lock.Inputs[i]
		answer, err := t.learn(ctx, ask, *input)
		if err == nil {
			err = t.settle(input, answer)
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

// settle compares the publisher's answer with the lock, and fills in what the lock lacks.
func (t *Tools) settle(input *lockfile.Input, answer told) error {
	now := digest.SHA256Prefix + answer.sha256
	switch {
	case answer.sha256 == "" && input.Size > 0 && answer.size > 0 && input.Size != answer.size:
		return fmt.Errorf("its publisher replaced it: the lock says %d bytes, it now has %d; %s", input.Size, answer.size, takeNew)
	case answer.sha256 == "":
		t.Say(fmt.Sprintf("%s: pinned; its publisher states no digest to compare", input))
		input.Size = cmp.Or(input.Size, answer.size)
		return nil
	case input.Digest == now:
		t.Say(fmt.Sprintf("%s: pinned, and still the same (from %s)", input, answer.by))
	case input.Digest == "":
		t.Say(fmt.Sprintf("%s: trusted on first use: %s (from %s)", input, now, answer.by))
	case t.Update:
		t.Say(fmt.Sprintf("%s: replaced %s; trusted on first use: %s (from %s)", input, input.Digest, now, answer.by))
		input.Size = 0
	default:
		return fmt.Errorf("its publisher replaced it: the lock says %s, it is now %s (from %s); %s", input.Digest, now, answer.by, takeNew)
	}
	input.Digest, input.Size = now, cmp.Or(answer.size, input.Size)
	return nil
}

const takeNew = "find out why, then take the new one with `make lock UPDATE=1`"
