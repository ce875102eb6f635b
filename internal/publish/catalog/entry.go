package catalog

import (
	"bytes"
	"encoding/json"
	"strings"
)

// The app types used here; the driver also knows SERVICE_TEMPLATE.
const (
	typeImage      = "IMAGE"
	typeVMTemplate = "VMTEMPLATE"
)

// Entry is one appliance of the list, in the format OpenNebula's "one" marketplace driver
// reads: field names, order and types are those of a list that a real front-end has
// imported. The driver reads no other fields (src/market_mad/remotes/one/monitor).
type Entry struct {
	ID   ObjectID `json:"_id"`
	Name string   `json:"name"`
	// App is the name without version and architecture. Its presence marks an entry as
	// written by this package; entries with the same App and OSArch are versions of each
	// other.
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
	// Disks are the names of the apps whose images become the disks of a VMTEMPLATE app. It
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
	// Size is the virtual size of the disk, not that of the file.
	Size        int64  `json:"size"`
	MD5         string `json:"md5"`
	SHA256      string `json:"sha256"`
	DevPrefix   string `json:"dev_prefix"`
	Driver      string `json:"driver"`
	Compression string `json:"compression"`
}

// image returns the name of the image in imagesDir, empty for an app that has none.
func (e *Entry) image() string {
	if e.Type != typeImage {
		return ""
	}
	return imageFile(e.Version, e.ID.OID, e.Format)
}

// escapeQuotes does what the driver omits: the driver puts each value between quotes
// unescaped, and a bare quote would make the import fail after the image was copied.
func escapeQuotes(value string) string {
	return strings.ReplaceAll(value, `"`, `\"`)
}

// marshal does not escape <, > and &, because people read the files.
func marshal(v any) ([]byte, error) {
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimRight(buffer.Bytes(), "\n"), nil
}
