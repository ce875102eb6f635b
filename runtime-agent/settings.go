package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

// refusal is the error for settings that cannot be used.
type refusal struct{ mistakes []string }

func (r *refusal) Error() string { return strings.Join(r.mistakes, "\n") }

// parseSettings validates a context, including the operator's certificate. The error has one
// line per mistake.
func parseSettings(values map[string]string) (appliance.Settings, error) {
	settings, err := appliance.ParseSettings(values)
	if _, mistake := operatorPair(settings); mistake != nil {
		err = errors.Join(err, fmt.Errorf("%s and %s: %s", appliance.VarCertificate, appliance.VarKey,
			strings.ReplaceAll(mistake.Error(), "\n", "; ")))
	}
	return settings, err
}

// checked are the settings of a context, which name a model that the machine can serve. The error has one
// line per mistake.
func (s sources) checked(values map[string]string) (appliance.Settings, error) {
	settings, err := parseSettings(values)
	if settings.Model == "" || appliance.CheckModelID(settings.Model) == nil {
		err = errors.Join(err, s.checkModel(settings))
	}
	return settings, err
}

// checkModel refuses a choice of model while another one is served. What is wrong with the image itself, or with the
// only model, is none of the context.
func (s sources) checkModel(settings appliance.Settings) error {
	baked, unreadable := readBaked(s.root)
	if unreadable != nil {
		return nil
	}
	served, err := baked.Serving(settings.Model)
	if err == nil {
		err = weightsThere(s.root, served)
	}
	if err != nil || settings.Model == "" {
		return err
	}
	facts, unknown := s.facts()
	header, damaged := readModel(s.root, served)
	if unknown != nil || damaged != nil {
		return nil
	}
	if _, err := fit.Decide(facts.Memory, header, fit.MinContext); err != nil {
		return fmt.Errorf("%s: %s: %w", appliance.VarModel, served.ModelID, err)
	}
	return nil
}

// operatorPair returns nil if the operator gave no certificate.
func operatorPair(settings appliance.Settings) (*certs.Pair, error) {
	if settings.Certificate == nil || settings.Key == nil {
		return nil, nil
	}
	given, err := certs.Parse(settings.Certificate, settings.Key)
	if err != nil {
		return nil, err
	}
	return &given, nil
}

// lastGood returns the context that is in force: the defaults before there is any. Defaults must not
// take the place of one that is lost, which may have had a password and a certificate.
func lastGood(root string) (appliance.Settings, vmcontext.Found, error) {
	found, err := vmcontext.FindLastGood(root)
	if errors.Is(err, fs.ErrNotExist) && !everConfigured(root) {
		err = nil
	}
	if err != nil {
		return appliance.Settings{}, found, fmt.Errorf("the last good context cannot be read; slm-copilot configure stores it again: %w", err)
	}
	settings, err := parseSettings(found.Values)
	if err != nil {
		return settings, found, fmt.Errorf("the last good context is no longer valid: %w", err)
	}
	return settings, found, nil
}
