package community

import (
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
)

// Names relative to the root of the repository.
const (
	appDir        = "appliances/" + appliance.Name + "/"
	changelogFile = appDir + "CHANGELOG.md"
	specFile      = "00-" + appliance.Name + "_basic.rb"
	logoFile      = appliance.Name + ".png"
)

// publication is the input for all files.
type publication struct {
	app      app.App
	manifest manifest.Manifest
	imageURL string
}

// Files returns the files, keyed by name relative to the root of the repository. imageURL is
// where the image of m will be downloaded from. logo is the content of a PNG file; if it is
// empty the repository is expected to have the logo. CHANGELOG.md contains this version alone;
// Write merges it into the existing one. The error lists every mistake.
func Files(described app.App, m manifest.Manifest, imageURL string, logo []byte) (map[string][]byte, error) {
	if err := errors.Join(checkSystem(m), CheckImageURL(imageURL), checkLogo(logo), checkParams(described.Models)); err != nil {
		return nil, err
	}
	// Sunstone ships the logos of this repository, and finds them by name.
	described.Logo = logoFile
	p := publication{described, m, imageURL}
	entry, err := p.entry()
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{appDir + app.UUID(described.Name, m.OSArch) + ".yaml": entry}
	for name, template := range map[string]string{
		appDir + "metadata.yaml":     "metadata.yaml",
		appDir + "context.yaml":      "context.yaml",
		appDir + "tests.yaml":        "tests.yaml",
		appDir + "tests/" + specFile: "basic.rb",
		appDir + "README.md":         "README.md",
		changelogFile:                "CHANGELOG.md",
	} {
		if files[name], err = p.render(template); err != nil {
			return nil, err
		}
	}
	if len(logo) > 0 {
		files["logos/"+logoFile] = logo
	}
	return files, nil
}

// version is in the format of OpenNebula's marketplaces.
func (p publication) version() string {
	return app.CommunityVersion(p.app.Version, p.created())
}

func (p publication) created() time.Time { return time.Unix(p.manifest.CreationTime, 0).UTC() }

func checkSystem(m manifest.Manifest) error {
	if m.OSID == "" {
		return fmt.Errorf("%s holds no operating system, only data: it is not an appliance", m.Image)
	}
	// The tests of the community marketplace look for one-context, and log in as root.
	if m.Context == appliance.CloudInit {
		return fmt.Errorf("%s has cloud-init in place of one-context, which the community marketplace asks for: build it with context = %q", m.Image, appliance.OneContext)
	}
	return nil
}

// CheckImageURL refuses a URL that not everybody could download.
func CheckImageURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.Path == "" || u.Path == "/" {
		return errors.New(`the URL of the image must be one such as "https://cdn.example.org/slm-copilot-1.0.0.qcow2"`)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the URL of the image must hold no credentials, query or fragment: it is published, and read by everybody for years")
	}
	return nil
}
