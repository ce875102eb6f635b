package marketplace

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/acceptance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/catalog"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/lint"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/signature"
)

// stepPreflight finds the images and determines what to publish. It changes nothing.
type stepPreflight struct {
	config *Config
	input  packersdk.Artifact
	pub    *publication
	ui     packersdk.Ui
}

func (s *stepPreflight) Run(context.Context) (err error) {
	if s.pub.disks, err = findDisks(s.input); err != nil {
		return err
	}
	if err := s.config.check().UnknownErr(); err != nil {
		return err
	}
	system := s.pub.disks[0].Manifest
	s.pub.app = s.config.App.over(app.DefaultFor(system))
	if err := errors.Join(s.checkApp(), s.checkVerified(), qemuimg.Available()); err != nil {
		return err
	}
	if err := s.pub.app.VMTemplate(system.OSArch).Check(); err != nil {
		return fmt.Errorf("app: the VM template made of it cannot be stored: %w", err)
	}
	if s.config.Catalog != nil {
		if err := s.prepareCatalog(); err != nil {
			return err
		}
	}
	if s.config.Community != nil {
		if s.pub.communityFiles, err = s.config.Community.files(s.pub); err != nil {
			return err
		}
	}
	return s.lint()
}

// checkApp looks at what depends on the image.
func (s *stepPreflight) checkApp() error {
	var mistakes []error
	if err := app.CheckVersion(s.pub.app.Version); err != nil {
		mistakes = append(mistakes, fmt.Errorf("app.version: %w, got %q", err, s.pub.app.Version))
	}
	if m := s.pub.disks[0].Manifest; s.pub.app.MemoryMiB < m.MinMemoryMiB {
		mistakes = append(mistakes, fmt.Errorf("app.memory: %d MiB are too few for the model to start, it needs %d; leave app.memory out for the %d that it wants",
			s.pub.app.MemoryMiB, m.MinMemoryMiB, m.MemoryMiB))
	}
	return errors.Join(mistakes...)
}

// checkVerified refuses an image that no trial has proven, or has it published as such.
func (s *stepPreflight) checkVerified() error {
	var modelDisk string
	if len(s.pub.disks) > 1 {
		modelDisk = s.pub.disks[1].Manifest.SHA256
	}
	system := s.pub.disks[0]
	unproven := system.Manifest.Proven(modelDisk)
	switch {
	case unproven == nil && system.Manifest.Verified.Suite < acceptance.Suite:
		s.ui.Say(fmt.Sprintf("Warning: the image %s was proven by version %d of the checks; those of this plugin are version %d, and ask for more",
			system.Path, system.Manifest.Verified.Suite, acceptance.Suite))
		return nil
	case unproven == nil:
		return nil
	case !s.config.AllowUnverified:
		return fmt.Errorf("nothing proves that the image %s works: %w, by its manifest; put the post-processor "+
			`"slm-copilot-verify" before this one, or set allow_unverified = true to publish it as unverified`, system.Path, unproven)
	}
	s.ui.Say(fmt.Sprintf("Warning: publishing the image %s unverified: %v", system.Path, unproven))
	s.pub.app.Description = app.Unverified(s.pub.app.Description)
	return nil
}

// lint checks for mistakes that have been observed in published apps.
func (s *stepPreflight) lint() error {
	text := s.pub.app.VMTemplate(s.pub.disks[0].Manifest.OSArch).Text()
	findings := lint.Template("VM template", []byte(text))
	for _, entry := range s.pub.entries {
		content, err := json.MarshalIndent(entry, "", "  ")
		if err != nil {
			return err
		}
		more, err := lint.Lint(entry.Name+".json", content)
		if err != nil {
			return err
		}
		findings = append(findings, more...)
	}
	for _, name := range slices.Sorted(maps.Keys(s.pub.communityFiles)) {
		if !isLinted(name) {
			continue
		}
		more, err := lint.Lint(name, s.pub.communityFiles[name])
		if err != nil {
			return err
		}
		findings = append(findings, more...)
	}
	return lint.Error(findings)
}

// isLinted reports whether a file of a pull request describes the app.
func isLinted(name string) bool {
	base := path.Base(name)
	return path.Ext(base) == ".yaml" && base != "context.yaml" && base != "tests.yaml"
}

func (s *stepPreflight) prepareCatalog() (err error) {
	if s.pub.base, err = catalog.ParseBaseURL(s.config.Catalog.BaseURL); err != nil {
		return fmt.Errorf("catalog.base_url: %w", err)
	}
	if file := s.config.Catalog.SigningKeyFile; file != "" {
		if s.pub.signingKey, err = signature.ReadKey(file, s.config.Catalog.SigningKeyPassword); err != nil {
			return err
		}
	}
	manifests := make([]manifest.Manifest, len(s.pub.disks))
	for i, d := range s.pub.disks {
		manifests[i] = d.Manifest
	}
	s.pub.entries, err = catalog.NewEntries(s.pub.app, manifests, s.pub.base)
	return err
}
