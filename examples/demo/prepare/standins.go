package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

const (
	localaiName = "local-ai"
	backendName = "llama-cpp"
	modelName   = "model.gguf"
	// otherModelName is a model with other weights.
	otherModelName = "other-model.gguf"

	standInPackage = "github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

// standIns builds the engine, its backend and the models.
func standIns(ctx context.Context, cache string) error {
	if err := compile(ctx, standInPackage+"/local-ai", filepath.Join(cache, localaiName)); err != nil {
		return err
	}
	program := filepath.Join(cache, localaitest.BackendProgram)
	if err := compile(ctx, standInPackage+"/"+localaitest.BackendProgram, program); err != nil {
		return err
	}
	if err := localaitest.WriteBackend(filepath.Join(cache, backendName), program); err != nil {
		return err
	}
	if err := writeModel(filepath.Join(cache, modelName), "stand-in"); err != nil {
		return err
	}
	return writeModel(filepath.Join(cache, otherModelName), "another stand-in")
}

// compile builds a static program for the appliance, which is x86-64 whatever this host is.
func compile(ctx context.Context, program, output string) error {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", output, program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64")
	build.Stdout, build.Stderr = os.Stderr, os.Stderr
	if err := build.Run(); err != nil {
		return fmt.Errorf("build %s: %w", program, err)
	}
	return nil
}

func writeModel(path, name string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := gguf.Write(file, gguf.Tiny(name)); err != nil {
		file.Close()
		return err
	}
	return file.Close()
}
