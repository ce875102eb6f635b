package builder

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// stepPublish renames the complete working directory to the output directory.
type stepPublish struct{ *build }

func (s *stepPublish) Run(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := s.config.outputFree(); err != nil {
		return s.failLate(ctx, fmt.Errorf("output_directory: %w", err), s.moveByHand)
	}
	if err := replace(s.config.partialDirectory(), s.config.OutputDirectory); err != nil {
		return s.failLate(ctx, fmt.Errorf("output_directory: %w", err), s.moveByHand)
	}
	s.published = true
	return nil
}

// replace renames directory to target. An existing target is moved aside only at the last
// moment, and moved back if the rename fails.
func replace(directory, target string) error {
	old := target + ".old"
	if err := os.RemoveAll(old); err != nil {
		return err
	}
	err := os.Rename(target, old)
	if errors.Is(err, os.ErrNotExist) {
		return os.Rename(directory, target)
	}
	if err != nil {
		return err
	}
	if err := os.Rename(directory, target); err != nil {
		return errors.Join(err, os.Rename(old, target))
	}
	return os.RemoveAll(old)
}
