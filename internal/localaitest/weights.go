package localaitest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// CheckWeights returns why llama.cpp would not load the file, in the text that reaches a
// client of LocalAI: what the backend logged, all of it twice.
func CheckWeights(path string) error {
	err := readHeader(path)
	if err == nil {
		return nil
	}
	log := llamaLog(path, err)
	return LoadFailed("could not load model: " + internalCallError(
		fmt.Sprintf("Failed to load model: %s. Error: %s; %s", path, log, log)))
}

// LoadFailed returns the error of a failed load in LocalAI's words.
func LoadFailed(cause string) error {
	return errors.New("failed to load model with internal loader: " + cause)
}

// DialFailed returns the message for a call to a backend that no longer listens.
func DialFailed(address string) string {
	return fmt.Sprintf("rpc error: code = Unavailable desc = connection error: desc = \"transport: Error while dialing: dial tcp %s: connect: connection refused\"", address)
}

// BackendDied returns the error of a call during which the backend died.
func BackendDied() error {
	return &CallError{Message: "rpc error: code = Unavailable desc = error reading from server: EOF"}
}

// BackendMissing returns the error of loading a model without an installed backend.
func BackendMissing() error { return LoadFailed("backend not found: " + backendName) }

func readHeader(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	_, err = gguf.Read(file, info.Size())
	return err
}

// llamaLog returns what llama.cpp logs for one attempt to load the file.
func llamaLog(path string, err error) string {
	const end = "llama_model_load_from_file_impl: failed to load model"
	unreadable := fmt.Sprintf("llama_model_load: error loading model: llama_model_loader: failed to load model from %s; %s", path, end)
	var missing *fs.PathError
	var wrong *gguf.MagicError
	var short *gguf.BoundsError
	switch {
	case errors.As(err, &missing):
		return fmt.Sprintf("gguf_init_from_file: failed to open GGUF file '%s' (%s); %s", path, strerror(missing.Err), unreadable)
	case errors.As(err, &wrong):
		return fmt.Sprintf("gguf_init_from_reader: invalid magic characters: '%s', expected 'GGUF'; %s", printable(wrong.Start), unreadable)
	case errors.As(err, &short):
		return fmt.Sprintf("llama_model_load: error loading model: tensor '%s' data is not within the file bounds, model is corrupted or incomplete; %s", short.Tensor, end)
	}
	return fmt.Sprintf("gguf_init_from_reader: %s; %s", err, unreadable)
}

// strerror returns a system error as C words it: like Go, but capitalized.
func strerror(err error) string {
	var number syscall.Errno
	if !errors.As(err, &number) {
		return err.Error()
	}
	text := number.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}

func printable(s string) string {
	bytes := []byte(s)
	for i, b := range bytes {
		if b < ' ' || b > '~' {
			bytes[i] = '?'
		}
	}
	return string(bytes)
}
