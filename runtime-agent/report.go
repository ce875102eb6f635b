package main

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/report"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/secret"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// writeReport updates the report file.
func writeReport(root string, present status.Status) error {
	content, err := newReport(root, present)
	if err != nil {
		return err
	}
	return storeReport(root, content)
}

// newReport reads what a report contains. Before the first valid settings there is no password
// and nothing to connect to.
func newReport(root string, present status.Status) (content report.Report, err error) {
	content.Status = present
	content.Password, err = secret.Read(filepath.Join(root, appliance.PasswordFile))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		content.Status.Host = ""
	case err != nil:
		return content, err
	default:
		if content.RootFingerprint, err = rootFingerprint(root); err != nil {
			content.Status.Warnings = append(slices.Clone(content.Status.Warnings),
				fmt.Sprintf("root certificate: %v; slm-copilot configure restores or replaces it", err))
		}
	}
	return content, nil
}

func storeReport(root string, content report.Report) error {
	file := filepath.Join(root, appliance.ReportFile)
	if err := atomicfile.Sweep(file); err != nil {
		return err
	}
	_, err := atomicfile.WriteIfChanged(file, content.Render(), 0o600, nil)
	return err
}

func rootFingerprint(root string) (string, error) {
	text, err := guardedfile.Read(filepath.Join(root, appliance.CACert), certs.MaxSize)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return "", fmt.Errorf("%s contains no certificate", appliance.CACert)
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return "", fmt.Errorf("read %s: %w", appliance.CACert, err)
	}
	return clients.Fingerprint(certificate), nil
}
