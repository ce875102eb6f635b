package manifest

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// validate returns one error per mistake, each naming its field.
func (m Manifest) validate() error {
	var mistakes []error
	expect := func(field string, err error) {
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("%s: %w", field, err))
		}
	}
	expect("name", appliance.CheckObjectName(m.Name))
	expect("version", appliance.CheckObjectName(m.Version))
	expect("image", checkFileName(m.Image))
	expect("format", checkFormat(m.Format))
	expect("size", checkPositive(m.Size))
	expect("file_size", checkPositive(m.FileSize))
	expect("md5", checkHex(m.MD5, 32))
	expect("sha1", checkHex(m.SHA1, 40))
	expect("sha256", checkHex(m.SHA256, 64))
	expect("creation_time", checkPositive(m.CreationTime))
	if m.holdsSystem() {
		expect("os_id", checkWord(m.OSID))
		expect("os_release", checkWord(m.OSRelease))
		expect("os_arch", checkWord(m.OSArch))
	}
	expect("build_id", checkLine(m.BuildID))
	expect("context", checkLine(m.Context))
	m.Model.validate(expect)
	for i, other := range m.OtherModels {
		expectOther := func(field string, err error) { expect(fmt.Sprintf("other_models[%d].%s", i, field), err) }
		other.validate(expectOther)
		expectOther("model_id", appliance.CheckModelID(other.ModelID))
	}
	if m.Verified != nil {
		m.Verified.validate(expect)
	}
	return errors.Join(mistakes...)
}

func (m Model) validate(expect func(field string, err error)) {
	expect("model_id", checkLine(m.ModelID))
	expect("model_name", checkLine(m.ModelName))
	expect("model_license", checkLine(m.ModelLicense))
	if m.ModelSHA256 != "" {
		expect("model_sha256", checkHex(m.ModelSHA256, 64))
	}
	if m.MemoryMiB != 0 {
		expect("memory_mib", checkPositive(int64(m.MemoryMiB)))
	}
	if m.MinMemoryMiB != 0 {
		expect("min_memory_mib", checkPositive(int64(m.MinMemoryMiB)))
	}
}

// holdsSystem reports whether the image has an operating system; others contain only data.
func (m Manifest) holdsSystem() bool {
	return m.OSID+m.OSRelease+m.OSArch != ""
}

// checkFileName prevents a manifest from referring to a file outside its own directory.
func checkFileName(name string) error {
	if name == "" || name == "." || name == ".." || name != filepath.Base(name) || strings.ContainsFunc(name, isControl) {
		return fmt.Errorf("must be the name of a file beside the manifest, got %q", name)
	}
	return nil
}

func checkFormat(format string) error {
	if format != "qcow2" {
		return fmt.Errorf("must be qcow2, got %q", format)
	}
	return nil
}

func checkPositive(n int64) error {
	if n <= 0 {
		return fmt.Errorf("must be greater than 0, got %d", n)
	}
	return nil
}

func checkHex(digest string, length int) error {
	if len(digest) != length || strings.Trim(digest, "0123456789abcdef") != "" {
		return fmt.Errorf("must be %d lower-case hexadecimal digits, got %q", length, digest)
	}
	return nil
}

func checkWord(word string) error {
	if word == "" || strings.ContainsAny(word, " \t\"'") || strings.ContainsFunc(word, isControl) {
		return fmt.Errorf("must be one word, got %q", word)
	}
	return nil
}

// checkLine accepts an empty text as well.
func checkLine(text string) error {
	if strings.ContainsFunc(text, isControl) {
		return fmt.Errorf("must be one line without control characters, got %q", text)
	}
	return nil
}

func isControl(r rune) bool {
	return r < ' ' || r == 0x7f
}
