package inspect

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

// inspectPayload compares the large files with what the image's lock file says about them.
func inspectPayload(ctx context.Context, i image) ([]finding, error) {
	text, there := i.tree.content[appliance.BakedLock]
	if !there {
		return []finding{{[]string{appliance.BakedLock}, "is missing: the list of what was baked", bakeIt}}, nil
	}
	lock, err := lockfile.Parse(appliance.BakedLock, []byte(text))
	if err != nil {
		return []finding{{[]string{appliance.BakedLock}, fmt.Sprintf("is not a lock file (%v)", err), bakeIt}}, nil
	}
	type large struct {
		path   string
		input  lockfile.Input
		locked bool
	}
	engine, locked := lock.Find(lockfile.KindLocalAI, "", "")
	files := []large{{appliance.LocalAIBinary, engine, locked}}
	for _, model := range i.tree.models() {
		input, locked := lock.FindModel("", "", model.ModelID)
		files = append(files, large{model.WeightsFile(), input, locked})
	}
	var findings []finding
	for _, file := range files {
		if !i.tree.isFile(file.path) {
			continue // inspectAppliance reports it, if it should be there.
		}
		if !file.locked {
			findings = append(findings, finding{[]string{appliance.BakedLock}, "does not say where " + file.path + " came from", bakeIt})
			continue
		}
		what, err := i.compare(ctx, file.path, file.input)
		if err != nil {
			return nil, err
		}
		if what != "" {
			findings = append(findings, finding{[]string{file.path}, what + ", unlike in " + appliance.BakedLock, "build again"})
		}
	}
	return findings, nil
}

// compare returns how the file differs from the input, empty if it does not.
func (i image) compare(ctx context.Context, name string, input lockfile.Input) (string, error) {
	file := i.tree.files[name]
	if input.Size != 0 && input.Size != file.size {
		return fmt.Sprintf("has %d bytes, not %d", file.size, input.Size), nil
	}
	meter := progress.Lines("digest "+name, file.size, i.say)
	sum := sha256.New()
	err := i.root.stream(ctx, []entry{file}, func(_ int, content io.Reader) error {
		_, err := io.Copy(sum, meter.Reader(content))
		return err
	})
	if err != nil {
		return "", err
	}
	meter.Finish()
	if found := digest.SHA256Prefix + hex.EncodeToString(sum.Sum(nil)); found != input.Digest {
		return fmt.Sprintf("has %s, not %s", found, input.Digest), nil
	}
	return "", nil
}
