// Package manifest reads and writes the side-car file of an image: what the image is
// called, how large it is and which digests it has. The fields are those of the
// manifests OpenNebula's one-apps makes (appliances/scripts/manifest.sh), with sha1
// added for Packer users and written as JSON.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
)

// Manifest describes one image.
type Manifest struct {
	// Name is that of the appliance, Version that of this image.
	Name    string `json:"name"`
	Version string `json:"version"`
	// Image is the file name; the file lies beside its manifest.
	Image  string `json:"image"`
	Format string `json:"format"`
	// Size is that of the disk a guest sees, FileSize that of the file, in bytes.
	Size     int64 `json:"size"`
	FileSize int64 `json:"file_size"`
	// MD5, SHA1 and SHA256 are of the file, in lower-case hexadecimal.
	MD5    string `json:"md5"`
	SHA1   string `json:"sha1"`
	SHA256 string `json:"sha256"`
	// CreationTime is in seconds since 1970.
	CreationTime int64 `json:"creation_time"`
	// OSID and OSRelease are ID and VERSION_ID of /etc/os-release, OSArch is what
	// uname -m says. An image without a system has none of the three.
	OSID      string `json:"os_id,omitempty"`
	OSRelease string `json:"os_release,omitempty"`
	OSArch    string `json:"os_arch,omitempty"`
	// BuildID is the invocation id in the provenance of the image.
	BuildID string `json:"build_id,omitempty"`
	// ModelID is what clients send as "model", ModelName is for people, ModelLicense is an
	// SPDX expression and ModelSHA256 is of the weights, in lower-case hexadecimal. An
	// image that was not made by our provisioner says nothing of its model.
	ModelID      string `json:"model_id,omitempty"`
	ModelName    string `json:"model_name,omitempty"`
	ModelLicense string `json:"model_license,omitempty"`
	ModelSHA256  string `json:"model_sha256,omitempty"`
	// MemoryMiB is the memory of a virtual machine in which the model has its default
	// context, 0 if nobody knows.
	MemoryMiB int `json:"memory_mib,omitempty"`
}

// Path is where the manifest of an image lies.
func Path(image string) string {
	return strings.TrimSuffix(image, filepath.Ext(image)) + appliance.ManifestSuffix
}

// Write validates m and writes it; path appears complete or not at all.
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

// parse is strict: a field it does not know may be a misspelled one.
func parse(content []byte) (Manifest, error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	var m Manifest
	if err := decoder.Decode(&m); err != nil {
		return Manifest{}, fmt.Errorf("it is no manifest: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return Manifest{}, errors.New("it is no manifest: something follows the JSON object")
	}
	return m, m.validate()
}
