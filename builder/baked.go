package builder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// baked is what the provisioner "slm-copilot" recorded in the machine about its work; empty
// if the machine was provisioned by another one.
type baked struct {
	lock        lockfile.Lock
	description appliance.Baked
	// lockText, sbom and licenses are the contents of the files in the machine, unchanged.
	lockText, sbom, licenses string
}

// there reports whether the provisioner "slm-copilot" ran.
func (b baked) there() bool { return b.lockText != "" }

// Limits of what is read from the machine, in bytes. The SBOM of a system with some
// thousand packages is a few megabytes.
const (
	descriptionLimit = 1 << 16
	lockLimit        = 1 << 20
	sbomLimit        = 64 << 20
	licensesLimit    = 4 << 20
)

// readBaked reads the lock, the description, the SBOM and the licences from the machine.
func readBaked(ctx context.Context, machine *remote.Machine) (b baked, err error) {
	if b.lockText, err = readFile(ctx, machine, appliance.BakedLock, lockLimit); err != nil || b.lockText == "" {
		return baked{}, err
	}
	if b.lock, err = lockfile.Parse(appliance.BakedLock, []byte(b.lockText)); err != nil {
		return baked{}, fmt.Errorf("what the provisioner left in the machine: %w", err)
	}
	description, err := readFile(ctx, machine, appliance.BakedFile, descriptionLimit)
	if err != nil {
		return baked{}, err
	}
	if err := json.Unmarshal([]byte(description), &b.description); err != nil {
		return baked{}, fmt.Errorf("what the provisioner left in the machine: %s is missing or damaged: %w", appliance.BakedFile, err)
	}
	if b.sbom, err = readFile(ctx, machine, appliance.BakedSBOM, sbomLimit); err != nil {
		return baked{}, err
	}
	if !json.Valid([]byte(b.sbom)) {
		return baked{}, errors.New("what the provisioner left in the machine: " + appliance.BakedSBOM + " is missing or no JSON")
	}
	if b.licenses, err = readFile(ctx, machine, appliance.BakedLicenses, licensesLimit); err != nil {
		return baked{}, err
	}
	if b.licenses == "" {
		return baked{}, errors.New("what the provisioner left in the machine: " + appliance.BakedLicenses + " is missing")
	}
	return b, nil
}

// tell copies what is known about the models into the manifest of the image.
func (b baked) tell(m *manifest.Manifest) {
	m.Model = b.model(b.description.BakedModel)
	for _, other := range b.description.Others {
		m.OtherModels = append(m.OtherModels, b.model(other))
	}
	m.ModelDisk = b.description.ModelDisk
	m.Context = b.description.Context
}

func (b baked) model(described appliance.BakedModel) manifest.Model {
	input, _ := b.lock.FindModel("", "", described.ModelID)
	return manifest.Model{
		ModelID: described.ModelID, ModelName: described.ModelName, ModelLicense: input.License,
		ModelSHA256: strings.TrimPrefix(input.Digest, digest.SHA256Prefix),
		MemoryMiB:   described.MemoryMiB, MinMemoryMiB: described.MinMemoryMiB,
	}
}

// readFile returns "" if the file does not exist.
func readFile(ctx context.Context, machine *remote.Machine, path string, limit int) (string, error) {
	text, err := machine.Run(ctx, remote.Script{
		Text: `[ ! -e "$FILE" ] || head -c "$LIMIT" "$FILE"`,
		Env:  remote.Env{"FILE": path, "LIMIT": strconv.Itoa(limit + 1)}, Timeout: scriptTimeout,
	})
	if err != nil {
		return "", fmt.Errorf("read %s from the machine: %w", path, err)
	}
	if len(text) > limit {
		return "", fmt.Errorf("read %s from the machine: it has more than %d bytes", path, limit)
	}
	return text, nil
}
