// Package model checks the model file before the engine tries to load it.
package model

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/weights"
)

// Read returns the header of the file, its numbers within sensible limits. The error says
// why the engine could not serve it, and what to do. It reads the header alone, some megabytes,
// and not the weights.
func Read(path string) (gguf.Header, error) {
	header, err := weights.Read(path)
	var unreadable *fs.PathError
	var unsuitable *weights.UnsuitableError
	switch {
	case err == nil:
		return header, nil
	case errors.Is(err, fs.ErrNotExist):
		return gguf.Header{}, damaged(path, errors.New("the file does not exist"))
	case errors.As(err, &unreadable): // the disk, not the content
		return gguf.Header{}, fmt.Errorf("read the weights of the model: %w", err)
	case errors.As(err, &unsuitable):
		return gguf.Header{}, fmt.Errorf("the model %s cannot be served: %w. Import an appliance with another model, or attach a model disk that holds one", path, err)
	}
	return gguf.Header{}, damaged(path, err)
}

func damaged(path string, reason error) error {
	return fmt.Errorf("the image is damaged, its model %s cannot be used: %w. Deploy the virtual machine again; if that does not help, import the appliance again", path, reason)
}
