package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
)

// newLogger returns a logger with LocalAI's line format, or JSON for LOCALAI_LOG_FORMAT=json.
func newLogger(w io.Writer, format string) *slog.Logger {
	if format == "json" {
		return slog.New(slog.NewJSONHandler(w, nil))
	}
	return slog.New(&lineHandler{w: w})
}

// lineHandler writes `Nov 22 19:40:46 INFO  Message name="value" ` lines, with the blank
// LocalAI leaves at the end.
type lineHandler struct {
	mu sync.Mutex
	w  io.Writer
}

func (*lineHandler) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelInfo }

// Handle writes one line.
func (h *lineHandler) Handle(_ context.Context, record slog.Record) error {
	var line strings.Builder
	fmt.Fprintf(&line, "%s %-5s %s", record.Time.Format("Jan _2 15:04:05"), record.Level, record.Message)
	record.Attrs(func(attribute slog.Attr) bool {
		line.WriteString(" " + attribute.Key + "=" + attributeText(attribute.Value))
		return true
	})
	if record.NumAttrs() > 0 {
		line.WriteByte(' ')
	}
	line.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, line.String())
	return err
}

// attributeText quotes strings, but neither numbers nor errors.
func attributeText(value slog.Value) string {
	if value.Kind() == slog.KindString {
		return fmt.Sprintf("%q", value)
	}
	return value.String()
}

// WithAttrs and WithGroup are not used by the stand-in.
func (h *lineHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup is not used either.
func (h *lineHandler) WithGroup(string) slog.Handler { return h }
