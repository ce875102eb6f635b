package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/localaitest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// modelFile is what the stand-in reads from a model's YAML file. Unknown keys are silently
// ignored, as in LocalAI.
type modelFile struct {
	Name       string `yaml:"name"`
	Parameters struct {
		Model string `yaml:"model"`
	} `yaml:"parameters"`
	ContextSize int      `yaml:"context_size"`
	Options     []string `yaml:"options"`
	Function    struct {
		ReplaceResults []struct {
			Key   string `yaml:"key"`
			Value string `yaml:"value"`
		} `yaml:"replace_llm_results"`
	} `yaml:"function"`
	Limits struct {
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
			model, err := file.model(c)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", filepath.Base(path), err)
			}
			models = append(models, model)
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

func (f modelFile) model(c config) (localaitest.Model, error) {
	model := localaitest.Model{
		Name: f.Name, File: f.Parameters.Model, ContextSize: f.ContextSize,
		MaxConcurrent: f.Limits.MaxConcurrent, RetryAfterSeconds: f.Limits.RetryAfterSeconds,
	}
	if model.ContextSize == 0 {
		model.ContextSize = c.contextSize
	}
	for _, replaced := range f.Function.ReplaceResults {
		pattern, err := regexp.Compile(replaced.Key)
		if err != nil {
			return model, fmt.Errorf("function.replace_llm_results: %w", err)
		}
		model.TextIsText = model.TextIsText || pattern.ReplaceAllString(`{"name": "ls"}`, replaced.Value) == ""
	}
	template, err := f.chatTemplate(c)
	model.Template = localaitest.TemplateOf(template)
	return model, err
}

// chatTemplate returns the template in use: of the option, or else of the weights, which may
// be missing or damaged until the model is loaded.
func (f modelFile) chatTemplate(c config) (string, error) {
	for _, option := range f.Options {
		if path, isTemplate := strings.CutPrefix(option, "--chat-template-file:"); isTemplate {
			content, err := os.ReadFile(path)
			return string(content), err
		}
	}
	weights, err := os.Open(filepath.Join(c.modelsPath, f.Parameters.Model))
	if err != nil {
		return "", nil
	}
	defer weights.Close()
	info, err := weights.Stat()
	if err != nil {
		return "", nil
	}
	header, _ := gguf.Read(weights, info.Size())
	return header.ChatTemplate, nil
}
