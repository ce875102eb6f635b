package provisioner

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
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
		if err := b.uploadBytes(ctx, file.Path, file.Mode, file.Content, nil); err != nil {
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
	meter := progress.Lines("upload the agent", int64(len(content)), b.say)
	if err := b.uploadBytes(ctx, appliance.AgentPath, 0o755, content, meter); err != nil {
		return err
	}
	baked, err := bakedJSON(b.config)
	if err != nil {
		return err
	}
	return b.uploadBytes(ctx, appliance.BakedFile, 0o644, baked, nil)
}

func bakedJSON(c Config) ([]byte, error) {
	text, err := json.MarshalIndent(appliance.Baked{
		ModelID:          c.Model.ID,
		ModelName:        c.Model.Name,
		Quantization:     c.Model.Quantization,
		LocalAIVersion:   c.LocalAI.Version,
		ApplianceVersion: c.ApplianceVersion,
	}, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describe the image: %w", err)
	}
	return append(text, '\n'), nil
}

func (b *bake) uploadBytes(ctx context.Context, path string, mode fs.FileMode, content []byte, meter *progress.Meter) error {
	return b.machine.Upload(ctx, remote.File{
		Content: bytes.NewReader(content), Size: int64(len(content)), Path: path, Mode: mode,
	}, meter)
}
