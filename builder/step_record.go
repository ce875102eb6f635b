package builder

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/provenance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// stepRecord writes the provenance next to the image, and the lock, SBOM and licences of what
// was baked in. stepLockOutput removes the files.
type stepRecord struct{ *build }

func (s *stepRecord) Run(ctx context.Context) error {
	statement, err := s.provenance(time.Now()).Encode()
	if err != nil {
		return s.failLate(ctx, err, s.inspectAgain)
	}
	files := map[string]string{appliance.ProvenanceSuffix: string(statement)}
	if s.baked.there() {
		files[appliance.LockSuffix], files[appliance.SBOMSuffix] = s.baked.lockText, s.baked.sbom
		files[appliance.LicensesSuffix] = s.baked.licenses
	}
	for suffix, text := range files {
		if err := os.WriteFile(s.beside(suffix), []byte(text), 0o644); err != nil {
			return s.failLate(ctx, fmt.Errorf("write what the image was made of: %w", err), s.inspectAgain)
		}
	}
	return nil
}

func (b *build) provenance(finished time.Time) provenance.Build {
	subjects := []provenance.Subject{{Name: b.manifest.Image, SHA256: b.manifest.SHA256}}
	if b.config.ModelDisk {
		subjects = append(subjects, provenance.Subject{Name: b.modelManifest.Image, SHA256: b.modelManifest.SHA256})
	}
	return provenance.Build{
		Subjects:       subjects,
		Inputs:         b.inputs(),
		BuilderVersion: appliance.Version,
		ID:             b.id,
		Started:        b.started,
		Finished:       finished,
		Parameters:     b.parameters(),
	}
}

// inputs returns what the provisioner recorded, and adds the builder's own inputs where it
// recorded none.
func (b *build) inputs() []lockfile.Input {
	all := lockfile.Lock{Inputs: slices.Clone(b.baked.lock.Inputs)}
	own := []lockfile.Input{b.baseInput}
	if b.config.Model != nil {
		own = append(own, b.modelInput)
	}
	for _, other := range b.others {
		own = append(own, other.input)
	}
	for _, input := range own {
		if !slices.ContainsFunc(b.baked.lock.Inputs, func(i lockfile.Input) bool { return i.Kind == input.Kind }) {
			all.Put(input)
		}
	}
	return all.Inputs
}

// parameters are the settings that influence the image. The text of cloud_init is left out
// because it may contain a secret.
func (b *build) parameters() map[string]string {
	c := b.config
	return map[string]string{
		"image_name":     c.ImageName,
		"image_version":  c.ImageVersion,
		"architecture":   c.Architecture,
		"base_image":     sourceuri.Shown(c.BaseImage),
		"disk_size":      c.DiskSize,
		"firmware":       c.Firmware,
		"machine_type":   c.MachineType,
		"accelerator":    b.accelerator,
		"model_disk":     strconv.FormatBool(c.ModelDisk),
		"allow_unpinned": strconv.FormatBool(c.AllowUnpinned),
		"cloud_init":     strconv.FormatBool(c.CloudInit != ""),
	}
}
