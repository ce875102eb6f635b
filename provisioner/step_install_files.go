package provisioner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/imagefiles"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remote"
)

// hostKeys makes SSH host keys at the first boot of each machine, because the image has
// none and cloud-init, which would make them, may find nothing to do there.
var hostKeys = imagefiles.File{
	Path: appliance.UnitDir + "/ssh.service.d/10-slm-copilot-host-keys.conf",
	Mode: 0o644,
	Content: []byte(`# The image holds no host key: each machine makes its own before sshd checks for them.
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
`),
}

func (b *bake) installImageFiles(ctx context.Context) error {
	for _, file := range append(imagefiles.Files(), hostKeys) {
		if err := b.machine.WriteText(ctx, file.Path, file.Mode, string(file.Content)); err != nil {
			return err
		}
	}
	_, err := b.script(ctx, "service_account", remote.Env{"SYSUSERS": imagefiles.SysusersFile}, time.Minute, nil)
	return err
}

func (b *bake) installAgent(ctx context.Context) error {
	content, err := readAgent(b.agents, b.arch)
	if err != nil {
		return err
	}
	file := remote.File{
		Content: bytes.NewReader(content), Size: int64(len(content)), Path: appliance.AgentPath, Mode: 0o755,
	}
	if err := b.machine.Upload(ctx, file, progress.Lines("upload the agent", file.Size, b.say)); err != nil {
		return err
	}
	baked, err := bakedJSON(b.config)
	if err != nil {
		return err
	}
	return b.machine.WriteText(ctx, appliance.BakedFile, 0o644, baked)
}

func bakedJSON(c Config) (string, error) {
	text, err := json.MarshalIndent(appliance.Baked{
		ModelID:          c.Model.ID,
		ModelName:        c.Model.Name,
		Quantization:     c.Model.Quantization,
		LocalAIVersion:   c.LocalAI.Version,
		ApplianceVersion: c.ApplianceVersion,
	}, "", "  ")
	if err != nil {
		return "", fmt.Errorf("describe the image: %w", err)
	}
	return string(text) + "\n", nil
}
