package step

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/hashicorp/packer-plugin-sdk/common"
	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// journal is what the steps of a test share.
type journal struct {
	lines  []string
	needed bool
	err    error
	act    func()
}

func (j *journal) note(line string) { j.lines = append(j.lines, line) }

type stepFirst struct{ *journal }

func (s *stepFirst) Run(context.Context) error { s.note("first"); return nil }

func (s *stepFirst) Cleanup() { s.note("first cleaned up") }

type stepOptional struct{ *journal }

func (s *stepOptional) Needed() bool { return s.needed }

func (s *stepOptional) Run(context.Context) error { s.note("optional"); return nil }

func (s *stepOptional) Cleanup() { s.note("optional cleaned up") }

// stepLast fails once with the error of the journal.
type stepLast struct{ *journal }

func (s *stepLast) Run(context.Context) error {
	s.note("last")
	if s.act != nil {
		s.act()
	}
	err := s.err
	s.err = nil
	return err
}

func (s *stepLast) Cleanup() { s.note("last cleaned up") }

func (j *journal) run(ctx context.Context, ui packersdk.Ui, onError string) error {
	return Run(ctx, ui, common.PackerConfig{PackerOnError: onError}, "testing",
		Of(&stepFirst{j}), Of(&stepOptional{j}), Of(&stepLast{j}))
}

// answering is a user who gives one answer to everything.
type answering struct {
	*packersdk.MockUi
	answer string
	shown  *[]string
}

func (a answering) Ask(string) (string, error) { return a.answer, nil }

func (a answering) Say(line string) { *a.shown = append(*a.shown, line) }

func (a answering) Error(line string) { *a.shown = append(*a.shown, line) }

func TestRun(t *testing.T) {
	broken := errors.New("no space left")
	tests := map[string]struct {
		journal journal
		onError string
		answer  string
		want    []string
		shown   []string
		err     error
	}{
		"all": {journal{needed: true}, "", "",
			[]string{"first", "optional", "last", "last cleaned up", "optional cleaned up", "first cleaned up"}, nil, nil},
		"without what is not needed": {journal{}, "", "",
			[]string{"first", "last", "last cleaned up", "first cleaned up"}, nil, nil},
		"failure": {journal{err: broken}, "cleanup", "",
			[]string{"first", "last", "last cleaned up", "first cleaned up"}, nil, broken},
		"abort": {journal{err: broken}, "abort", "",
			[]string{"first", "last"}, []string{
				"no space left", `Step "stepLast" failed, aborting...`,
				`aborted: skipping cleanup of step "stepOptional"`, `aborted: skipping cleanup of step "stepFirst"`,
			}, broken},
		"ask, clean up": {journal{err: broken}, "ask", "c",
			[]string{"first", "last", "last cleaned up", "first cleaned up"}, []string{"no space left", `Step "stepLast" failed`}, broken},
		"ask, try again": {journal{err: broken}, "ask", "r",
			[]string{"first", "last", "last", "last cleaned up", "first cleaned up"}, []string{"no space left", `Step "stepLast" failed`}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var shown []string
			err := test.journal.run(t.Context(), answering{new(packersdk.MockUi), test.answer, &shown}, test.onError)
			assert.Equal(t, test.err, err)
			assert.Equal(t, test.want, test.journal.lines)
			for _, want := range test.shown {
				assert.Contains(t, strings.Join(shown, "\n"), want)
			}
			assert.NotContains(t, strings.Join(shown, "\n"), "adapter")
		})
	}
}

func TestInterruption(t *testing.T) {
	cause := errors.New("Ctrl-C")
	other := errors.New("the machine is gone")
	for name, test := range map[string]struct {
		err  error
		want string
	}{
		"told by the step":  {cause, "testing was interrupted: Ctrl-C"},
		"beside an error":   {other, "testing was interrupted: Ctrl-C: the machine is gone"},
		"before the others": {nil, "testing was interrupted: Ctrl-C"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			j := &journal{err: test.err, act: func() { cancel(cause) }}
			err := Run(ctx, new(packersdk.MockUi), common.PackerConfig{}, "testing", Of(&stepFirst{j}), Of(&stepLast{j}), Of(&stepFirst{j}))
			require.ErrorIs(t, err, cause)
			assert.EqualError(t, err, test.want)
			assert.Equal(t, []string{"first", "last", "last cleaned up", "first cleaned up"}, j.lines)
		})
	}
}

// What is done is done: it does not become undone by a late Ctrl-C.
func TestInterruptionOfTheLastStepThatSucceeds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	assert.NoError(t, (&journal{act: cancel}).run(ctx, new(packersdk.MockUi), ""))
}

// asked is a user who confirms everything and remembers what was asked.
type asked struct {
	*packersdk.MockUi
	queries *[]string
}

func (a asked) Ask(query string) (string, error) {
	*a.queries = append(*a.queries, query)
	return "", nil
}

func TestDebugNamesTheSteps(t *testing.T) {
	var queries []string
	j := &journal{}
	err := Run(t.Context(), asked{new(packersdk.MockUi), &queries}, common.PackerConfig{PackerDebug: true}, "testing", Of(&stepFirst{j}), Of(&stepLast{j}))
	require.NoError(t, err)
	assert.Contains(t, strings.Join(queries, "\n"), "'stepFirst'")
	assert.NotContains(t, strings.Join(queries, "\n"), "adapter")
}
