package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// certificate renews what is due, asks the ACME server if that is configured, and stores
// which certificate clients really get.
func (a app) certificate(ctx context.Context) error {
	if everConfigured(a.root) {
		log := a.openLog()
		defer func() { _ = log.Close() }()
		obtainer := obtainer{root: a.root, now: a.now, certbot: a.certbot, log: log}
		if err := obtainer.obtain(ctx); err != nil {
			log.Warn("certificate: %v", err)
		}
	}
	return a.takeCertificate(ctx)
}

// takeCertificate is certificate without the ACME server: certbot calls it when it has a new
// certificate.
func (a app) takeCertificate(ctx context.Context) error {
	log := a.openLog()
	defer func() { _ = log.Close() }()
	if !everConfigured(a.root) {
		log.Info("certificate: no context was ever applied, so there is nothing to do")
		return nil
	}
	if err := a.converger(log).renewCertificates(ctx); err != nil {
		log.Error("certificate: %v", err)
		return err
	}
	return nil
}

func everConfigured(root string) bool {
	_, err := os.Stat(filepath.Join(root, appliance.LocalAIEnvFile))
	return !errors.Is(err, fs.ErrNotExist)
}
