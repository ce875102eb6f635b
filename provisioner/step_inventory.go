package provisioner

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/licenses"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sbom"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// takeInventory writes into the image a lock that can reproduce it, an SBOM, and the texts of the
// licences.
func (b *bake) takeInventory(ctx context.Context) error {
	if b.base.Digest != "" {
		b.base.Arch = b.arch
		b.payload.inputs.Put(b.base)
	}
	if err := b.machine.WriteText(ctx, appliance.BakedLock, 0o644, string(b.payload.inputs.Encode())); err != nil {
		return err
	}
	if err := b.uploadText(ctx, appliance.BakedLicenses, licenses.Format(b.works())); err != nil {
		return err
	}
	text, err := b.script(ctx, "packages", remote.Env{"FORMAT": sbom.PackagesFormat}, 5*time.Minute, nil)
	if err != nil {
		return fmt.Errorf("list the packages: %w", err)
	}
	packages, err := sbom.ParsePackages(text)
	if err != nil {
		return err
	}
	created, err := b.created()
	if err != nil {
		return err
	}
	bill, err := sbom.Image{
		Name: appliance.Name, Version: b.config.ApplianceVersion,
		OSID: b.facts["id"], OSRelease: b.facts["version"], Created: created,
		Components: b.components(), Packages: packages,
	}.Encode()
	if err != nil {
		return err
	}
	if err := b.uploadText(ctx, appliance.BakedSBOM, string(bill)); err != nil {
		return err
	}
	b.say(fmt.Sprintf("%d payloads and %d packages are listed in %s", len(b.payload.inputs.Inputs), len(packages), appliance.BakedSBOM))
	return nil
}

// uploadText writes a text of any length, unlike remote.Machine's WriteText.
func (b *bake) uploadText(ctx context.Context, path, text string) error {
	return b.machine.Upload(ctx, remote.File{Content: strings.NewReader(text), Size: int64(len(text)), Path: path, Mode: 0o644}, nil)
}

// created returns the current time, or that of SOURCE_DATE_EPOCH (Unix seconds) if it is
// set, so that equal builds yield an identical SBOM.
func (b *bake) created() (time.Time, error) {
	epoch := os.Getenv("SOURCE_DATE_EPOCH")
	if epoch == "" {
		return time.Now().UTC(), nil
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 {
		return time.Time{}, fmt.Errorf("SOURCE_DATE_EPOCH is %q, not a number of seconds", epoch)
	}
	return time.Unix(seconds, 0).UTC(), nil
}

// purposes maps the kinds of inputs to SPDX package purposes.
var purposes = map[string]string{
	lockfile.KindBaseImage:      "OPERATING-SYSTEM",
	lockfile.KindContextPackage: "INSTALL",
	lockfile.KindLocalAI:        "APPLICATION",
	lockfile.KindBackend:        "APPLICATION",
	lockfile.KindModel:          "FILE",
}

func (b *bake) components() []sbom.Component {
	components := []sbom.Component{{
		Name: appliance.Name + "-agent", Version: appliance.Version, License: "Apache-2.0",
		SHA256: b.agentSHA256, Purpose: "APPLICATION",
	}}
	for _, input := range b.payload.inputs.Inputs {
		components = append(components, sbom.Component{
			Name: input.Name, Version: input.Version, License: input.License, Source: input.Source,
			SHA256: strings.TrimPrefix(input.Digest, digest.SHA256Prefix), Purpose: purposes[input.Kind],
		})
	}
	return components
}

// baseImage returns the base image that the builder reports, without a digest if the
// builder is not "slm-copilot".
func baseImage(generated map[string]any) lockfile.Input {
	text := func(name string) string { return generatedText(generated, name) }
	source := text(appliance.DataBaseImageSource)
	size, _ := strconv.ParseInt(text(appliance.DataBaseImageSize), 10, 64)
	return lockfile.Input{
		Kind: lockfile.KindBaseImage, Name: sourceuri.Shown(cmp.Or(text(appliance.DataBaseImage), source)),
		Source: sourceuri.Shown(source), Digest: text(appliance.DataBaseImageDigest), Size: size,
	}
}

// imageVersion returns the version that the source gives the image, "" if it gives none.
func imageVersion(generated map[string]any) string {
	return generatedText(generated, appliance.DataImageVersion)
}

func generatedText(generated map[string]any, name string) string {
	value, _ := generated[name].(string)
	return value
}
