// Package model checks the model file before the engine tries to load it.
package model

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// Limits far above every real model. They keep what is computed from a header far below
// 64 bits.
const (
	maxLayers        = 1 << 12
	maxHeads         = 1 << 12
	maxHeadSize      = 1 << 16
	maxContextLength = 1 << 32
	maxDimension     = 1 << 32
)

// Read returns the header of the file, its numbers within sensible limits. The error says
// why the engine would not load it. It reads the header alone, some megabytes, and not the
// weights.
func Read(path string) (gguf.Header, error) {
	file, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return gguf.Header{}, damaged(path, errors.New("the file does not exist"))
	case err != nil:
		return gguf.Header{}, fmt.Errorf("read the weights of the model: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return gguf.Header{}, fmt.Errorf("read the weights of the model: %w", err)
	case !info.Mode().IsRegular():
		return gguf.Header{}, damaged(path, errors.New("it is not a regular file"))
	case info.Size() == 0:
		return gguf.Header{}, damaged(path, errors.New("the file is empty"))
	}
	header, err := gguf.Read(file, info.Size())
	if err == nil {
		err = check(header)
	}
	var failed *fs.PathError
	switch {
	case errors.As(err, &failed): // the disk, not the content
		return gguf.Header{}, fmt.Errorf("read the weights of the model: %w", err)
	case err != nil:
		return gguf.Header{}, damaged(path, err)
	}
	return header, nil
}

func damaged(path string, reason error) error {
	return fmt.Errorf("the image is damaged, its model %s cannot be used: %w. Deploy the virtual machine again; if that does not help, import the appliance again", path, reason)
}

// check finds numbers llama.cpp cannot work with.
func check(h gguf.Header) error {
	if len(h.Tensors) == 0 {
		return errors.New("the file contains no weights")
	}
	for _, n := range []struct {
		name           string
		value, minimum uint64
		maximum        uint64
	}{
		{"layers", h.BlockCount, 1, maxLayers},
		{"tokens of context", h.ContextLength, 1, maxContextLength},
		// Layers without attention have none.
		{"key and value heads", h.HeadCountKV, 0, maxHeads},
		{"dimensions per key", h.KeyLength, 1, maxHeadSize},
		{"dimensions per value", h.ValueLength, 1, maxHeadSize},
	} {
		if n.value < n.minimum || n.value > n.maximum {
			return fmt.Errorf("the header says %d %s, expected %d to %d", n.value, n.name, n.minimum, n.maximum)
		}
	}
	for _, tensor := range h.Tensors {
		if slices.Max(tensor.Dimensions) > maxDimension || slices.Min(tensor.Dimensions) == 0 {
			return fmt.Errorf("tensor %q has impossible dimensions %d", tensor.Name, tensor.Dimensions)
		}
	}
	return nil
}
