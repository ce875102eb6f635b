package provisioner

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func TestTextsOfLicencesAreInTheImage(t *testing.T) {
	m := machine(t)
	b, said := newBake(t, m)
	own := filepath.Join(t.TempDir(), "LICENSE")
	require.NoError(t, os.WriteFile(own, []byte("Copyright (c) 2026 Acme, "+strings.Repeat("all rights reserved. ", 10000)), 0o644))
	b.config.Model.License, b.config.Model.LicenseFile = "LicenseRef-Acme", own
	require.NoError(t, b.runAll(t.Context()))
	text := m.Read(appliance.BakedLicenses)
	for _, part := range []string{
		"LocalAI v4.9.0 (", "Copyright (c) 2023-2025 Ettore Di Giacinto (mudler@localai.io)",
		"llama.cpp, as LocalAI's backend", "Copyright (c) 2023-2026 The ggml authors",
		"devstral-small-2 (LicenseRef-Acme)", "Copyright (c) 2026 Acme, all rights",
		"slm-copilot-agent " + appliance.Version + " (Apache-2.0)", "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION",
		"Go, and the modules that the agent is linked with", "Copyright 2009 The Go Authors", "github.com/VictoriaMetrics/metrics",
	} {
		assert.Contains(t, text, part)
	}
	assert.NotContains(t, text, filepath.Dir(own), "a path of this host")
	assert.NotContains(t, strings.Join(*said, "\n"), "model.license")
	info, err := os.Stat(m.Path(appliance.BakedLicenses))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o644), info.Mode().Perm())
}

func TestLicenceOfTheModel(t *testing.T) {
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
		return path
	}
	for name, tt := range map[string]struct {
		license, file   string
		text, said, err string
	}{
		"known":              {"Apache-2.0", "", "Apache License", "", ""},
		"known and another":  {"Apache-2.0 OR MIT", "", "Apache License", "WARNING: model.license: the image will not have the text of MIT, ", ""},
		"unknown":            {"MIT", "", "", "WARNING: model.license: the image will not have the text of MIT, which most licences want to come with every copy: set model.license_file", ""},
		"none":               {"", "", "", "WARNING: model.license is not set", ""},
		"a file":             {"MIT", file("a", "Copyright"), "Copyright", "", ""},
		"a file before ours": {"Apache-2.0", file("b", "Copyright"), "Copyright", "", ""},
		"a missing file":     {"MIT", filepath.Join(dir, "none"), "", "", "model.license_file: open " + filepath.Join(dir, "none")},
		"a directory":        {"MIT", dir, "", "", "model.license_file: "},
		"no text":            {"MIT", file("c", "\xff\xfe"), "", "", "c is not a text in UTF-8"},
		"an empty file":      {"MIT", file("d", "\n"), "", "", "d is not a text in UTF-8"},
		"an endless file":    {"MIT", file("e", strings.Repeat("x", maxLicense+1)), "", "", "it is larger than 1048576 bytes"},
	} {
		t.Run(name, func(t *testing.T) {
			var said []string
			b := &bake{say: func(line string) { said = append(said, line) }}
			text, err := b.readLicense(modelBlock{fieldModel, &Model{License: tt.license, LicenseFile: tt.file}})
			if tt.err != "" {
				require.ErrorContains(t, err, "model.license_file: ")
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.text == "", text == "")
			assert.Contains(t, text, tt.text)
			assert.Equal(t, tt.said == "", len(said) == 0)
			assert.Contains(t, strings.Join(said, "\n"), tt.said)
		})
	}
}
