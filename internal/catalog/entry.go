package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/marketapp"
)

// Entry is one appliance of the list, in the form that OpenNebula's "one" marketplace
// driver reads: its field names, order and types are those of a list a real front-end
// has imported.
type Entry struct {
	ID                 ObjectID `json:"_id"`
	Name               string   `json:"name"`
	Type               string   `json:"type"`
	Publisher          string   `json:"publisher"`
	PublisherEmail     string   `json:"publisher_email,omitempty"`
	Version            string   `json:"version"`
	Format             string   `json:"format"`
	ShortDescription   string   `json:"short_description"`
	Description        string   `json:"description"`
	Tags               []string `json:"tags"`
	CreationTime       int64    `json:"creation_time"`
	Hypervisor         string   `json:"hypervisor"`
	OSID               string   `json:"os-id"`
	OSRelease          string   `json:"os-release"`
	OSArch             string   `json:"os-arch"`
	OpenNebulaVersion  string   `json:"opennebula_version"`
	OpenNebulaTemplate string   `json:"opennebula_template"`
	Logo               string   `json:"logo,omitempty"`
	Files              []File   `json:"files"`
}

// ObjectID is the id of an entry, 24 hexadecimal digits.
type ObjectID struct {
	OID string `json:"$oid"`
}

// File is an image of an entry. OpenNebula imports the first one.
type File struct {
	Type string `json:"type"`
	URL  string `json:"url"`
	// Size is that of the disk, not of the file.
	Size        int64  `json:"size"`
	MD5         string `json:"md5"`
	SHA256      string `json:"sha256"`
	DevPrefix   string `json:"dev_prefix"`
	Driver      string `json:"driver"`
	Compression string `json:"compression"`
}

// NewEntry describes app with the image of m, served at base.
func NewEntry(app marketapp.App, m manifest.Manifest, base BaseURL) (Entry, error) {
	if err := appliance.CheckObjectName(app.Title()); err != nil {
		return Entry{}, fmt.Errorf("app.name and app.version: the name %q made of them %w", app.Title(), err)
	}
	id := entryID(app, m)
	template, err := marshal(app.VMTemplate(m.OSArch).Map(escapeQuotes))
	if err != nil {
		return Entry{}, fmt.Errorf("write the VM template: %w", err)
	}
	return Entry{
		ID:                 ObjectID{id},
		Name:               app.Title(),
		Type:               "IMAGE",
		Publisher:          app.Publisher,
		PublisherEmail:     app.PublisherEmail,
		Version:            app.Version,
		Format:             m.Format,
		ShortDescription:   app.ShortDescription,
		Description:        app.Description,
		Tags:               app.Tags,
		CreationTime:       m.CreationTime,
		Hypervisor:         "KVM",
		OSID:               m.OSID,
		OSRelease:          m.OSRelease,
		OSArch:             m.OSArch,
		OpenNebulaVersion:  strings.Join(app.OpenNebulaVersions, ", "),
		OpenNebulaTemplate: string(template),
		Logo:               app.Logo,
		Files: []File{{
			Type:        "OS",
			URL:         base.String() + "/" + imagesDir + "/" + imageFile(app.Version, id, m.Format),
			Size:        m.Size,
			MD5:         m.MD5,
			SHA256:      m.SHA256,
			DevPrefix:   "vd",
			Driver:      m.Format,
			Compression: "none",
		}},
	}, nil
}

// entryID changes with anything that makes another image, see the package comment.
func entryID(app marketapp.App, m manifest.Manifest) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{app.Name, app.Version, m.OSArch, m.SHA256}, "\x00")))
	return hex.EncodeToString(sum[:12])
}

// imageFile is the name of the image below imagesDir, one for each entry.
func imageFile(version, id, format string) string {
	return fmt.Sprintf("%s-%s-%s.%s", appliance.Name, version, id[:12], format)
}

// escapeQuotes does what the driver omits: it writes each value between quotes as it is,
// and a bare quote would make the import fail after the image was copied.
func escapeQuotes(value string) string {
	return strings.ReplaceAll(value, `"`, `\"`)
}

// marshal leaves <, > and & as they are, for people who read the files.
func marshal(v any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buffer.Bytes(), "\n"), nil
}
