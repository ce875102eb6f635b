package main

import (
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs/acme"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/secret"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

// sources are where the plan's input comes from, apart from the context.
type sources struct {
	root    string
	now     func() time.Time
	facts   func() (machine.Facts, error)
	certbot acme.Certbot
}

// gather reads everything the plan depends on and makes the secrets that are missing. If
// the error is a refusal, the rest is there, and enough for plan.Refused.
func (s sources) gather(settings appliance.Settings, found vmcontext.Found) (plan.Input, error) {
	in := plan.Input{Settings: settings, Context: found.Values, Token: found.Token}
	if found.Warning != "" {
		in.Warnings = append(in.Warnings, found.Warning)
	}
	if readyComesEarly(s.root, found.Values) {
		in.Warnings = append(in.Warnings, fmt.Sprintf("%s=YES without %s: one-context reports READY before the model is loaded. Set %s=%q in CONTEXT of the VM template",
			appliance.VarReportReady, appliance.VarReadyScript, appliance.VarReadyScript, appliance.ReadyScript))
	}
	var err error
	if in.Baked, err = readBaked(s.root); err != nil {
		return in, err
	}
	if in.Facts, err = s.facts(); err != nil {
		return in, err
	}
	if in.Password, err = secret.Password(settings.Password, filepath.Join(s.root, appliance.PasswordFile)); err != nil {
		return in, err
	}
	if in.EngineKey, err = secret.Key(filepath.Join(s.root, appliance.EngineKeyFile)); err != nil {
		return in, err
	}
	if in.TLS, err = s.certificates(settings, found.Values, in.Facts); err != nil {
		return in, err
	}
	in.Warnings = append(in.Warnings, in.TLS.Warnings...)
	header, fits, err := fitModel(s.root, in.Facts.Memory, settings.ContextSize)
	if err != nil {
		return in, &refusal{[]string{err.Error()}}
	}
	in.Fit, in.ChatTemplate = fits, header.ChatTemplate
	in.Warnings = slices.Concat(in.Warnings, in.Fit.Warnings, in.Facts.Warnings(settings.Threads))
	return in, nil
}

// fitModel reads the header of the model and checks whether the model fits into the memory.
func fitModel(root string, memory uint64, contextSize int) (gguf.Header, fit.Result, error) {
	header, err := readModel(root)
	if err != nil {
		return gguf.Header{}, fit.Result{}, err
	}
	result, err := fit.Decide(memory, header, contextSize)
	return header, result, err
}
