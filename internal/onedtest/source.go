package onedtest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// source is what was found at a PATH during the call.
type source struct {
	path   string
	sizeMB int64
	// refusal is the reason if the size cannot be determined.
	refusal string
}

const (
	noFile      = "No such file or directory"
	noAccess    = "Permission denied"
	unsupported = "Unsupported remote image format"
)

func (s *source) cannotAccess(why string) {
	s.refusal = fmt.Sprintf("cannot access '%s' (%s)", s.path, why)
}

func isRemote(path string) bool {
	return strings.HasPrefix(path, "http://") || strings.HasPrefix(path, "https://")
}

// probeTemplate inspects the PATH of a template, if it has one.
func probeTemplate(ctx context.Context, template string) source {
	given, err := parse(template)
	if err != nil {
		return source{}
	}
	s := source{path: get(given, "PATH")}
	switch {
	case s.path == "":
	case isRemote(s.path):
		s.probeRemote(ctx)
	default:
		s.probeLocal()
	}
	return s
}

func (s *source) probeLocal() {
	if !filepath.IsAbs(s.path) {
		s.cannotAccess(noFile)
		return
	}
	file, err := os.Open(s.path)
	if errors.Is(err, fs.ErrPermission) {
		s.cannotAccess(noAccess)
		return
	}
	if err != nil {
		s.cannotAccess(noFile)
		return
	}
	defer file.Close()
	plain, err := unpack(file)
	if err != nil {
		s.cannotAccess(noAccess)
		return
	}
	head, _ := plain.Peek(qcow2Head)
	if size, is := qcow2Size(head); is {
		s.sizeMB = inMB(size)
		return
	}
	size, err := io.Copy(io.Discard, plain)
	if err != nil {
		s.cannotAccess(noAccess)
		return
	}
	s.sizeMB = inMB(size)
}

// probeRemote reads the first 64 KB twice: for the type, and for the virtual size.
func (s *source) probeRemote(ctx context.Context) {
	head, err := sniff(ctx, s.path)
	if err == nil {
		head, err = sniff(ctx, s.path)
	}
	if err != nil {
		s.cannotAccess(noAccess)
		return
	}
	packed := isPacked(head)
	plain, err := unpack(bytes.NewReader(head))
	if err != nil {
		s.refusal = unsupported
		return
	}
	inner, _ := plain.Peek(qcow2Head)
	if size, is := qcow2Size(inner); is {
		s.sizeMB = inMB(size)
		return
	}
	length := int64(-1)
	if !packed {
		length = contentLength(ctx, s.path)
	}
	if length < 0 {
		s.refusal = unsupported
		return
	}
	s.sizeMB = inMB(length)
}

func inMB(bytes int64) int64 { return (bytes + 1<<20 - 1) >> 20 }

// qcow2Head is how many bytes of a QCOW2 file contain its virtual size (docs/interop/qcow2.rst
// of QEMU).
const qcow2Head = 32

func qcow2Size(head []byte) (bytes int64, is bool) {
	if len(head) < qcow2Head || string(head[:4]) != "QFI\xfb" {
		return 0, false
	}
	return int64(binary.BigEndian.Uint64(head[24:32])), true
}

func isPacked(head []byte) bool { return bytes.HasPrefix(head, []byte{0x1f, 0x8b}) }

// unpack decompresses gzip; the other formats that a front-end unpacks are not implemented.
func unpack(r io.Reader) (*bufio.Reader, error) {
	plain := bufio.NewReaderSize(r, sniffed)
	if head, _ := plain.Peek(2); !isPacked(head) {
		return plain, nil
	}
	packed, err := gzip.NewReader(plain)
	if err != nil {
		return nil, err
	}
	return bufio.NewReaderSize(packed, sniffed), nil
}
