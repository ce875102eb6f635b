// Package recordertest gathers what code tells its users, for tests that read it.
package recordertest

import (
	"slices"
	"strings"
	"sync"
)

// Lines gathers lines, from several goroutines if need be.
type Lines struct {
	mu    sync.Mutex
	lines []string
}

// Say takes one line.
func (l *Lines) Say(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// All is what was said, line by line.
func (l *Lines) All() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// Text is what was said, in one text.
func (l *Lines) Text() string { return strings.Join(l.All(), "\n") }
