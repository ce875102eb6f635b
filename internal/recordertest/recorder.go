// Package recordertest records what code reports to its users, for tests.
package recordertest

import (
	"slices"
	"strings"
	"sync"
)

// Lines records lines. It may be used from several goroutines.
type Lines struct {
	mu    sync.Mutex
	lines []string
}

// Say records one line.
func (l *Lines) Say(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.lines = append(l.lines, line)
}

// All returns the recorded lines.
func (l *Lines) All() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.lines)
}

// Text returns the recorded lines as one text.
func (l *Lines) Text() string { return strings.Join(l.All(), "\n") }
