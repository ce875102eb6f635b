// Package manifest reads and writes the manifest file beside an image: the name of the image,
// its sizes and its digests. The fields are those of the manifests that OpenNebula's one-apps
// creates (appliances/scripts/manifest.sh), plus sha1 for Packer users, encoded as JSON.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
)

// Manifest describes one image.
type Manifest struct {
	// Name is the appliance's name, Version the image's version.
	Name    string `json:"name"`
	Version string `json:"version"`
	// Image is the file name of the image, which lies beside its manifest.
	Image  string `json:"image"`
	Format string `json:"format"`
	// Size is the virtual size of the disk, FileSize the size of the file, both in bytes.
	Size     int64 `json:"size"`
	FileSize int64 `json:"file_size"`
	// MD5, SHA1 and SHA256 are the digests of the file, in lower-case hexadecimal.
	MD5    string `json:"md5"`
	SHA1   string `json:"sha1"`
	SHA256 string `json:"sha256"`
	// CreationTime is in seconds since 1970.
	CreationTime int64 `json:"creation_time"`
	// OSID and OSRelease are ID and VERSION_ID from /etc/os-release, OSArch is the output of
	// uname -m. All three are empty for an image without an operating system.
	OSID      string `json:"os_id,omitempty"`
	OSRelease string `json:"os_release,omitempty"`
	OSArch    string `json:"os_arch,omitempty"`
	// BuildID is the invocation id in the provenance of the image.
	BuildID string `json:"build_id,omitempty"`
	// Context is the program that applies the context to the operating system, "one-context"
	// or "cloud-init"; empty if unknown.
	Context string `json:"context,omitempty"`
	// Model is the one that is served unless the context names one of OtherModels.
	Model
	OtherModels []Model `json:"other_models,omitempty"`
	// ModelDisk is true if the system needs the image of a model disk besides.
	ModelDisk bool `json:"model_disk,omitempty"`
	// Verified is the last trial of the image, nil if it had none.
	Verified *Verification `json:"verified,omitempty"`
}

// Model describes a model of an image. It is zero for an image that our provisioner did not build.
type Model struct {
	// ModelID is what clients send as "model", ModelName is a display name, ModelLicense is an
	// SPDX expression and ModelSHA256 is the digest of the weights, in lower-case hexadecimal.
	ModelID      string `json:"model_id,omitempty"`
	ModelName    string `json:"model_name,omitempty"`
	ModelLicense string `json:"model_license,omitempty"`
	ModelSHA256  string `json:"model_sha256,omitempty"`
	// MemoryMiB is the memory a VM needs so that the model has its default context, 0 if
	// unknown.
	MemoryMiB int `json:"memory_mib,omitempty"`
	// MinMemoryMiB is the memory below which the model does not start at all, 0 if unknown.
	MinMemoryMiB int `json:"min_memory_mib,omitempty"`
}

// Models returns all models of the image, the one that is served by default first; none if the
// manifest does not name it.
func (m Manifest) Models() []Model {
	if m.ModelID == "" {
		return nil
	}
	return append([]Model{m.Model}, m.OtherModels...)
}

// Serving returns the model that is served with an id as the context's choice, which is empty for the
// default. An image whose manifest names no model may have any.
func (m Manifest) Serving(id string) (Model, error) {
	if id == "" {
		return m.Model, nil
	}
	if m.ModelID == "" {
		return Model{ModelID: id}, nil
	}
	i := slices.Index(m.ModelIDs(), id)
	if i < 0 {
		return Model{}, fmt.Errorf("%s: the image does not contain %q. It contains: %s", appliance.VarModel, id, strings.Join(m.ModelIDs(), ", "))
	}
	return m.Models()[i], nil
}

// ModelIDs returns the ids of Models.
func (m Manifest) ModelIDs() []string {
	var ids []string
	for _, model := range m.Models() {
		ids = append(ids, model.ModelID)
	}
	return ids
}

// Path returns the path of the manifest of an image.
func Path(image string) string {
	return strings.TrimSuffix(image, filepath.Ext(image)) + appliance.ManifestSuffix
}

// Write validates m and writes it; the file appears complete or not at all.
func Write(path string, m Manifest) error {
	if err := m.validate(); err != nil {
		return fmt.Errorf("write manifest %s: %w", path, err)
	}
	content, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("write manifest %s: %w", path, err)
	}
	if err := atomicfile.Write(path, append(content, '\n'), 0o644, nil); err != nil {
		return fmt.Errorf("write manifest: %w", err)
	}
	return nil
}

// Read reads and validates a manifest. The error lists every mistake.
func Read(path string) (Manifest, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest: %w", err)
	}
	m, err := parse(content)
	if err != nil {
		return Manifest{}, fmt.Errorf("read manifest %s: %w", path, err)
	}
	return m, nil
}

// parse is strict: an unknown field may be a misspelled one.
func parse(content []byte) (Manifest, error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	var m Manifest
	if err := decoder.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("it is not a manifest: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Manifest{}, errors.New("it is not a manifest: something follows the JSON object")
	}
	return m, m.validate()
}
