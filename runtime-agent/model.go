package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/model"
)

// model reads the header of the weights. Where they come on a disk of their own, a file that
// is missing is no damage of the image.
func (a app) model() (gguf.Header, error) {
	path := a.path(appliance.ModelsDir + "/" + appliance.ModelFile)
	header, err := model.Read(path)
	if _, missing := os.Stat(path); !errors.Is(missing, fs.ErrNotExist) {
		return header, err
	}
	if baked, bakedErr := a.baked(); bakedErr == nil && baked.ModelDisk {
		return gguf.Header{}, fmt.Errorf("the disk of the model, labelled %s, is not there: attach it to the virtual machine and restart that", appliance.ModelDiskLabel)
	}
	return header, err
}
