// Package guardedfile reads files of which neither the kind nor the size can be relied on:
// configuration, certificates, secrets and state, where by mistake or malice something else may
// be. Neither a FIFO that nobody writes to nor an endless device holds the reader up.
package guardedfile

import (
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// patience is how long to wait for what is not on a disk, such as the output of a command that
// a shell passes as a FIFO.
const patience = 5 * time.Second

// Open opens a file for reading without waiting for it. If it is not a regular file, reads fail
// five seconds later; a FIFO that nobody has opened to write to is empty; devices that cannot be
// read with a deadline are refused.
func Open(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	info, err := file.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = guard(file, path)
	}
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return file, nil
}

func guard(file *os.File, path string) error {
	if file.SetReadDeadline(time.Now().Add(patience)) != nil {
		return fmt.Errorf("read %s: it is a device or a directory, not a file", path)
	}
	return nil
}

// Read returns the content of a file that has at most maxSize bytes. The error is one of package
// fs where that is the reason.
func Read(path string, maxSize int64) ([]byte, error) {
	file, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxSize+1))
	if err != nil {
		return nil, err
	}
	if int64(len(content)) > maxSize {
		return nil, fmt.Errorf("read %s: it is larger than %d bytes", path, maxSize)
	}
	return content, nil
}
