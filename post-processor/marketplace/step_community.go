package marketplace

import (
	"context"
	"fmt"
	"os"

	packersdk "github.com/hashicorp/packer-plugin-sdk/packer"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/community"
)

// stepCommunity writes the files of a pull request.
type stepCommunity struct {
	config *Community
	pub    *publication
	ui     packersdk.Ui
}

func (s *stepCommunity) Run(context.Context) error {
	changed, err := community.Write(s.config.Directory, s.pub.communityFiles, s.ui.Say)
	if err != nil {
		return err
	}
	s.pub.communityDirectory = s.config.Directory
	if !changed {
		s.ui.Say("The files in " + s.config.Directory + " are up to date already; nothing was changed")
	}
	return nil
}

// files returns the contents of the files, by path.
func (c *Community) files(pub *publication) (map[string][]byte, error) {
	if len(pub.disks) > 1 {
		return nil, fmt.Errorf("community: the weights are on a disk of their own (%s), and the files are of one image; "+
			"build without model_disk, or leave the block community out", pub.disks[1].Path)
	}
	var logo []byte
	if c.LogoFile != "" {
		var err error
		if logo, err = os.ReadFile(c.LogoFile); err != nil {
			return nil, fmt.Errorf("community.logo_file: %w", err)
		}
	}
	files, err := community.Files(pub.app, pub.disks[0].Manifest, c.ImageURL, logo)
	if err != nil {
		return nil, fmt.Errorf("community: %w", err)
	}
	return files, nil
}
