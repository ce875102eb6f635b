package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"gopkg.in/yaml.v3"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
)

// modelFile is what the stand-in reads from a model's YAML file. Unknown keys are silently
// ignored, as in LocalAI.
type modelFile struct {
	Name       string `yaml:"name"`
	Parameters struct {
		Model string `yaml:"model"`
	} `yaml:"parameters"`
	ContextSize int `yaml:"context_size"`
	Limits      struct {
		MaxConcurrent     int `yaml:"max_concurrent"`
		RetryAfterSeconds int `yaml:"retry_after_seconds"`
	} `yaml:"limits"`
}

// readModels reads every model file in the directory. A file that cannot be read is logged and
// its model is missing, as in LocalAI.
func readModels(c config, log *slog.Logger) ([]localaitest.Model, error) {
	var paths []string
	for _, pattern := range []string{"*.yaml", "*.yml"} {
		found, err := filepath.Glob(filepath.Join(c.modelsPath, pattern))
		if err != nil {
			return nil, fmt.Errorf("models path %q: %w", c.modelsPath, err)
		}
		paths = append(paths, found...)
	}
	slices.Sort(paths)
	models := []localaitest.Model{}
	for _, path := range paths {
		file, err := readModelFile(path)
		switch {
		case err != nil:
			log.Error("LoadModelConfigsFromPath cannot read config file", "error", err, "File Name", filepath.Base(path))
		case file.Name != "":
			models = append(models, file.model(c))
		}
	}
	return models, nil
}

func readModelFile(path string) (modelFile, error) {
	var file modelFile
	content, err := os.ReadFile(path)
	if err != nil {
		return file, fmt.Errorf("readModelConfigFromFile cannot read config file %q: %w", path, err)
	}
	if err := yaml.Unmarshal(content, &file); err != nil {
		return file, fmt.Errorf("readModelConfigFromFile cannot unmarshal config file %q: %w", path, err)
	}
	return file, nil
}

func (f modelFile) model(c config) localaitest.Model {
	model := localaitest.Model{
		Name: f.Name, File: f.Parameters.Model, ContextSize: f.ContextSize,
		MaxConcurrent: f.Limits.MaxConcurrent, RetryAfterSeconds: f.Limits.RetryAfterSeconds,
	}
	if model.ContextSize == 0 {
		model.ContextSize = c.contextSize
	}
	return model
}
