// Package weights reads the header of a model's file and says why the appliance could not serve
// it. The provisioner asks before it uploads the file, the agent before the engine loads it.
package weights

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/kvcache"
)

// Limits far above every published model, so that what is computed from a header stays far below
// 64 bits.
const (
	maxContextLength = 1 << 32
	maxDimension     = 1 << 32
	maxExperts       = 1 << 12
)

// UnsuitableError is the error for a file that is as it should be, but holds nothing that the
// appliance can serve.
type UnsuitableError struct{ reason string }

func (e *UnsuitableError) Error() string { return e.reason }

// Read returns the header of a file that llama.cpp can load and answer with. It reads some
// megabytes, and not the weights. The error does not name the file; it is a *fs.PathError if the file
// could not be read, an *UnsuitableError if it holds something else, and otherwise says that the
// file is damaged or incomplete.
func Read(path string) (gguf.Header, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return gguf.Header{}, err
	case !info.Mode().IsRegular(): // a FIFO would not even be opened
		return gguf.Header{}, errors.New("it is not a regular file")
	case info.Size() == 0:
		return gguf.Header{}, errors.New("the file is empty")
	}
	file, err := os.Open(path)
	if err != nil {
		return gguf.Header{}, err
	}
	defer file.Close()
	header, err := gguf.Read(file, info.Size())
	if part := (*gguf.PartError)(nil); errors.As(err, &part) {
		return gguf.Header{}, &UnsuitableError{part.Error()}
	}
	if err == nil {
		err = check(header)
	}
	if err != nil {
		return gguf.Header{}, err
	}
	return header, nil
}

func check(h gguf.Header) error {
	if reason := unsuitable(h); reason != "" {
		return &UnsuitableError{reason}
	}
	return checkNumbers(h)
}

// checkNumbers finds numbers llama.cpp cannot work with.
func checkNumbers(h gguf.Header) error {
	if h.ContextLength < 1 || h.ContextLength > maxContextLength {
		return fmt.Errorf("the header says %d tokens of context, expected 1 to %d", h.ContextLength, uint64(maxContextLength))
	}
	if used := h.Numbers["expert_used_count"]; used > maxExperts {
		return fmt.Errorf("the header says that a token asks %d experts, at most %d are expected", used, maxExperts)
	}
	if err := kvcache.Check(h); err != nil {
		return err
	}
	for _, tensor := range h.Tensors {
		if slices.Max(tensor.Dimensions) > maxDimension || slices.Min(tensor.Dimensions) == 0 {
			return fmt.Errorf("tensor %q has impossible dimensions %d", tensor.Name, tensor.Dimensions)
		}
	}
	return nil
}

// missing returns the keys without which llama.cpp does not load a model.
func missing(h gguf.Header) string {
	var keys []string
	for _, key := range []string{"block_count", "context_length", "embedding_length"} {
		if _, present := h.Numbers[key]; !present {
			keys = append(keys, h.Architecture+"."+key)
		}
	}
	return strings.Join(keys, ", ")
}
