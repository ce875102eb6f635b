package localaitest

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed llama-cpp-backend/run.sh
var runScript []byte

// BackendProgram is the name of the program that run.sh expects beside itself.
const BackendProgram = "llama-cpp-backend"

// WriteBackend sets up dir as the directory of an installed stand-in backend. program is the
// built llama-cpp-backend command.
func WriteBackend(dir, program string) error {
	binary, err := os.ReadFile(program)
	if err != nil {
		return fmt.Errorf("stand-in backend: %w", err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("stand-in backend: %w", err)
	}
	for name, content := range map[string][]byte{"run.sh": runScript, BackendProgram: binary} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o755); err != nil {
			return fmt.Errorf("stand-in backend: %w", err)
		}
	}
	return nil
}
