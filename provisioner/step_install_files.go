package provisioner

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/files"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// hostKeys generates SSH host keys on the first boot of each machine: the image has none,
// and cloud-init, which normally makes them, may find nothing to do there.
var hostKeys = files.File{
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
	if err := b.writeFiles(ctx, append(files.Files(), hostKeys)); err != nil {
		return err
	}
	_, err := b.script(ctx, "service_account", remote.Env{"SYSUSERS": files.SysusersFile}, time.Minute, nil)
	return err
}

func (b *bake) writeFiles(ctx context.Context, files []files.File) error {
	for _, file := range files {
		if err := b.machine.WriteText(ctx, file.Path, file.Mode, string(file.Content)); err != nil {
			return err
		}
	}
	return nil
}

func (b *bake) installAgent(ctx context.Context) error {
	content, err := readAgent(b.agents, b.arch)
	if err != nil {
		return err
	}
	sum := sha256.Sum256(content)
	b.agentSHA256 = hex.EncodeToString(sum[:])
	local := fetch.File{SHA256: b.agentSHA256, Size: int64(len(content))}
	if err := b.uploadContent(ctx, "the agent", local, bytes.NewReader(content), appliance.AgentPath, 0o755); err != nil {
		return err
	}
	baked, err := b.bakedJSON()
	if err != nil {
		return err
	}
	return b.machine.WriteText(ctx, appliance.BakedFile, 0o644, baked)
}

func (b *bake) bakedJSON() (string, error) {
	baked := appliance.Baked{
		Context:          b.config.Context,
		BakedModel:       b.payload.models[0].described,
		LocalAIVersion:   b.config.LocalAI.Version,
		ApplianceVersion: b.config.ApplianceVersion,
		ModelDisk:        b.way == modelDisk,
	}
	for _, m := range b.payload.models[1:] {
		baked.Others = append(baked.Others, m.described)
	}
	text, err := json.MarshalIndent(baked, "", "  ")
	if err != nil {
		return "", fmt.Errorf("describe the image: %w", err)
	}
	return string(text) + "\n", nil
}
