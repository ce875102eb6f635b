package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/model"
)

// maxBaked bounds the description of the image, in bytes.
const maxBaked = 1 << 20

// readBaked reads what the image contains.
func readBaked(root string) (appliance.Baked, error) {
	text, err := guardedfile.Read(filepath.Join(root, appliance.BakedFile), maxBaked)
	if err != nil {
		return appliance.Baked{}, fmt.Errorf("find out which model the image contains: %w", err)
	}
	var baked appliance.Baked
	if err := json.Unmarshal(text, &baked); err != nil {
		return appliance.Baked{}, fmt.Errorf("read %s: %w", appliance.BakedFile, err)
	}
	if baked.ModelID == "" {
		return appliance.Baked{}, fmt.Errorf("read %s: model_id is missing", appliance.BakedFile)
	}
	return baked, nil
}

// serving describes the image, with the model that is in force as the one that is served: that of the
// weights that the engine loads.
func (a app) serving() (appliance.Baked, error) {
	baked, err := readBaked(a.root)
	if err != nil {
		return baked, err
	}
	weights, err := os.Readlink(a.path(appliance.ModelConfigDir + "/" + appliance.ModelFile))
	if err != nil {
		return baked, nil // not configured yet
	}
	for _, other := range baked.Others {
		if other.WeightsFile() == weights {
			return baked.Serving(other.ModelID)
		}
	}
	return baked, nil
}

// readModel reads the header of the weights of the model that is served. Where they are on a
// separate disk, a missing file does not mean a damaged image.
func readModel(root string, baked appliance.Baked) (gguf.Header, error) {
	if err := weightsThere(root, baked); err != nil {
		return gguf.Header{}, err
	}
	path := filepath.Join(root, baked.WeightsFile())
	header, err := model.Read(path)
	if _, missing := os.Stat(path); !errors.Is(missing, fs.ErrNotExist) {
		return header, err
	}
	if baked.ModelDisk {
		return gguf.Header{}, fmt.Errorf("the model disk, labelled %s, is missing: attach it to the virtual machine and restart the machine", appliance.ModelDiskLabel)
	}
	return header, err
}

// weightsThere refuses a model of which another one's weights are there, but not its own: the model disk may be of another
// build than the image. Where none is there, something else is wrong.
func weightsThere(root string, baked appliance.Baked) error {
	var there []string
	for _, m := range append([]appliance.BakedModel{baked.BakedModel}, baked.Others...) {
		if _, err := os.Stat(filepath.Join(root, m.WeightsFile())); !errors.Is(err, fs.ErrNotExist) {
			there = append(there, m.ModelID)
		}
	}
	if len(there) == 0 || slices.Contains(there, baked.ModelID) {
		return nil
	}
	return fmt.Errorf("%s: the weights of %s, %s, are not on the disk. Those of these models are: %s",
		appliance.VarModel, baked.ModelID, baked.WeightsFile(), strings.Join(there, ", "))
}

// modelTime returns when the model's file was made.
func modelTime(root string, baked appliance.Baked) (time.Time, error) {
	info, err := os.Stat(filepath.Join(root, baked.WeightsFile()))
	if err != nil {
		return time.Time{}, err
	}
	return info.ModTime(), nil
}
