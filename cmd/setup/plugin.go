package main

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
)

const (
	pluginBinary = ".cache/build/packer-plugin-slm-copilot"
	// pluginDirectory is where Packer looks for github.com/slm-copilot/slm-copilot,
	// relative to PACKER_PLUGIN_PATH.
	pluginDirectory = ".tools/plugins/github.com/slm-copilot/slm-copilot"
)

func (s *setup) plugin(ctx context.Context) error {
	if err := s.compile(ctx, "plugin", program{source: ".", output: pluginBinary, strip: true}); err != nil {
		return err
	}
	return installPlugin(ctx)
}

// installPlugin does what "packer plugins install --path" does, except that it does not
// touch a plugin that is up to date, or the file of one that is running.
func installPlugin(ctx context.Context) error {
	name, err := pluginName(ctx)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(pluginBinary)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(pluginDirectory, 0o755); err != nil {
		return err
	}
	target := filepath.Join(pluginDirectory, name)
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	present, err := os.ReadFile(target + "_SHA256SUM")
	if _, missing := os.Stat(target); err == nil && missing == nil && string(present) == sum {
		return nil
	}
	// Packer fails on a plugin with a wrong checksum, but ignores one without a checksum.
	if err := removeChecksums(); err != nil {
		return err
	}
	if err := atomicfile.Write(target, content, 0o755, nil); err != nil {
		return err
	}
	return atomicfile.Write(target+"_SHA256SUM", []byte(sum), 0o644, nil)
}

// removeChecksums makes Packer ignore all installed plugins, including old versions.
func removeChecksums() error {
	sums, err := filepath.Glob(filepath.Join(pluginDirectory, "*_SHA256SUM"))
	for _, sum := range sums {
		err = errors.Join(err, os.Remove(sum))
	}
	return err
}

// pluginName returns the file name from which Packer reads the plugin's version, API and
// platform.
func pluginName(ctx context.Context) (string, error) {
	output, err := exec.CommandContext(ctx, "./"+pluginBinary, "describe").Output()
	if err != nil {
		return "", fmt.Errorf("ask the plugin what it is: %w", err)
	}
	var described struct {
		Version string `json:"version"`
		API     string `json:"api_version"`
	}
	if err := json.Unmarshal(output, &described); err != nil {
		return "", fmt.Errorf("read what the plugin says it is: %w", err)
	}
	return fmt.Sprintf("packer-plugin-slm-copilot_v%s_%s_%s_%s", described.Version, described.API, runtime.GOOS, runtime.GOARCH), nil
}
