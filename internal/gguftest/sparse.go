package gguftest

import (
	"fmt"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// Model is a file without its weights.
type Model struct {
	Metadata map[string]any
	Tensors  []gguf.Tensor
}

// WriteSparse writes the file with a hole in place of the weights, so that a model of any size takes
// no space on the disk. Sizes and offsets of the tensors need not be set.
func (m Model) WriteSparse(path string) error {
	f := &file{}
	f.head(m.Metadata, len(m.Tensors))
	end := uint64(0)
	for _, tensor := range m.Tensors {
		f.string(tensor.Name)
		f.put(uint32(len(tensor.Dimensions)))
		f.put(tensor.Dimensions)
		f.put(uint32(tensor.Type), end)
		size, err := tensor.Bytes()
		if err != nil {
			return err
		}
		end += (size + alignment - 1) / alignment * alignment
	}
	f.pad()
	if err := os.WriteFile(path, f.Bytes(), 0o644); err != nil {
		return err
	}
	if err := os.Truncate(path, int64(f.Len())+int64(end)); err != nil {
		return fmt.Errorf("make room for the weights of %s: %w", path, err)
	}
	return nil
}
