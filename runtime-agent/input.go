package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs/acme"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/localai"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/secret"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

// maxInUse bounds what is read of a file with secrets, in bytes.
const maxInUse = 1 << 20

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
	if in.Context == nil {
		in.Context = map[string]string{} // stored too: its absence means that it was lost
	}
	if found.Warning != "" {
		in.Warnings = append(in.Warnings, found.Warning)
	}
	if readyComesEarly(s.root, found.Values) {
		in.Warnings = append(in.Warnings, fmt.Sprintf("%s=YES without %s: one-context reports READY before the model is loaded. Set %s=%q in CONTEXT of the VM template",
			appliance.VarReportReady, appliance.VarReadyScript, appliance.VarReadyScript, appliance.ReadyScript))
	}
	in.Warnings = append(in.Warnings, appliance.Doubts(found.Values)...)
	var err error
	if in.Baked, err = readBaked(s.root); err != nil {
		return in, err
	}
	if in.Facts, err = s.facts(); err != nil {
		return in, err
	}
	if err = s.secrets(&in); err != nil {
		return in, err
	}
	if in.TLS, err = s.certificates(settings, found.Values, in.Facts); err != nil {
		return in, err
	}
	in.Hosts = hosts(settings, found.Values, in.Facts, in.TLS)
	in.Warnings = slices.Concat(in.Warnings, in.TLS.Own.Warnings, in.TLS.Warnings)
	if in.Baked, err = in.Baked.Serving(settings.Model); err != nil {
		return in, &refusal{[]string{err.Error()}}
	}
	header, fits, err := fitModel(s.root, in.Baked, in.Facts.Memory, settings.ContextSize)
	if err != nil {
		return in, &refusal{[]string{err.Error()}}
	}
	in.Fit, in.ChatTemplate, in.Vocabulary, in.FIM = fits, header.ChatTemplate, header.Vocabulary, header.FIM
	if in.ModelTime, err = modelTime(s.root, in.Baked); err != nil {
		return in, err
	}
	in.Warnings = slices.Concat(in.Warnings, in.Fit.Warnings, in.Facts.Warnings(settings.Threads))
	return in, nil
}

// secrets sets the password and LocalAI's key: the operator's, those of the machine, or new ones.
func (s sources) secrets(in *plan.Input) error {
	site, err := s.inUse(appliance.NginxSite)
	if err != nil {
		return err
	}
	environment, err := s.inUse(appliance.LocalAIEnvFile)
	if err != nil {
		return err
	}
	var warning string
	in.EngineKey, warning, err = secret.Key(secret.Stored{
		Path: filepath.Join(s.root, appliance.EngineKeyFile), InUse: localai.KeyInUse(environment), Expected: everConfigured(s.root),
	})
	if err != nil {
		return err
	}
	in.Warnings = appendNonEmpty(in.Warnings, warning)
	if in.Password = in.Settings.Password; in.Password != "" {
		return nil
	}
	// A mistake elsewhere in the context in force does not matter here.
	before, _, _ := lastGood(s.root)
	withdrawn := []string{before.Password}
	for _, key := range in.Settings.Keys {
		withdrawn = append(withdrawn, key.Key) // it says who asks, so nobody else may have it
	}
	in.Password, warning, err = secret.Password(secret.Stored{
		Path: filepath.Join(s.root, appliance.PasswordFile), InUse: nginx.PasswordInUse(site), Withdrawn: withdrawn,
		Expected: everConfigured(s.root),
	})
	in.Warnings = appendNonEmpty(in.Warnings, warning)
	return err
}

// inUse reads a file that contains a secret in use; it is nil if there is none yet.
func (s sources) inUse(path string) ([]byte, error) {
	text, err := guardedfile.Read(filepath.Join(s.root, path), maxInUse)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read the secrets in use: %w", err)
	}
	return text, nil
}

func appendNonEmpty(warnings []string, warning string) []string {
	if warning == "" {
		return warnings
	}
	return append(warnings, warning)
}

// fitModel reads the header of the model and checks whether the model fits into the memory.
func fitModel(root string, baked appliance.Baked, memory uint64, contextSize int) (gguf.Header, fit.Result, error) {
	header, err := readModel(root, baked)
	if err != nil {
		return gguf.Header{}, fit.Result{}, err
	}
	result, err := fit.Decide(memory, header, contextSize)
	return header, result, err
}
