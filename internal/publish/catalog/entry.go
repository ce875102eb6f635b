package catalog

import (
	"bytes"
	"encoding/json"
	"strings"
)

// The types of apps, of which the driver knows one more, SERVICE_TEMPLATE.
const (
	typeImage      = "IMAGE"
	typeVMTemplate = "VMTEMPLATE"
)

// Entry is one appliance of the list, in the form that OpenNebula's "one" marketplace
// driver reads: its field names, order and types are those of a list a real front-end
// has imported. The driver looks at no others (src/market_mad/remotes/one/monitor).
type Entry struct {
	ID   ObjectID `json:"_id"`
	Name string   `json:"name"`
	// App is the name without version and architecture, by which this package knows its own
	// entries: those of one App and OSArch are versions of each other.
	App                string   `json:"app"`
	Type               string   `json:"type"`
	Publisher          string   `json:"publisher"`
	PublisherEmail     string   `json:"publisher_email,omitempty"`
	Version            string   `json:"version"`
	Format             string   `json:"format,omitempty"`
	ShortDescription   string   `json:"short_description"`
	Description        string   `json:"description"`
	Tags               []string `json:"tags"`
	CreationTime       int64    `json:"creation_time"`
	Hypervisor         string   `json:"hypervisor"`
	OSID               string   `json:"os-id,omitempty"`
	OSRelease          string   `json:"os-release,omitempty"`
	OSArch             string   `json:"os-arch"`
	OpenNebulaVersion  string   `json:"opennebula_version"`
	OpenNebulaTemplate string   `json:"opennebula_template,omitempty"`
	Logo               string   `json:"logo,omitempty"`
	Files              []File   `json:"files"`
	// Disks are the names of the apps whose images a VMTEMPLATE app takes as its disks. It
	// boots from the first.
	Disks []string `json:"disks,omitempty"`
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

// image is the name of the image below imagesDir, empty for an app that has none.
func (e *Entry) image() string {
	if e.Type != typeImage {
		return ""
	}
	return imageFile(e.Version, e.ID.OID, e.Format)
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
