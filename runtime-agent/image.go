package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/model"
)

// readBaked reads what the image holds.
func readBaked(root string) (appliance.Baked, error) {
	text, err := os.ReadFile(filepath.Join(root, appliance.BakedFile))
	if err != nil {
		return appliance.Baked{}, fmt.Errorf("find out which model the image holds: %w", err)
	}
	var baked appliance.Baked
	if err := json.Unmarshal(text, &baked); err != nil {
		return appliance.Baked{}, fmt.Errorf("read %s: %w", appliance.BakedFile, err)
	}
	if baked.ModelID == "" {
		return appliance.Baked{}, fmt.Errorf("read %s: it names no model_id", appliance.BakedFile)
	}
	return baked, nil
}

// readModel reads the header of the weights. Where they come on a disk of their own, a file
// that is missing does not mean that the image is damaged.
func readModel(root string) (gguf.Header, error) {
	path := filepath.Join(root, appliance.ModelsDir, appliance.ModelFile)
	header, err := model.Read(path)
	if _, missing := os.Stat(path); !errors.Is(missing, fs.ErrNotExist) {
		return header, err
	}
	if baked, bakedErr := readBaked(root); bakedErr == nil && baked.ModelDisk {
		return gguf.Header{}, fmt.Errorf("the disk of the model, labelled %s, is not there: attach it to the virtual machine and restart that", appliance.ModelDiskLabel)
	}
	return header, err
}
