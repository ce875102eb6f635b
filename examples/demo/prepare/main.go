// Command prepare builds the payloads of the demonstration from Debian's packages and this
// repository alone: a base image, stand-ins for LocalAI and its backend, and two tiny models.
// It writes their digests to a variables file for packer build.
//
// make demo-payloads runs it at the top of the repository:
//
//	go run ./examples/demo/prepare -base-images .cache
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
)

// variablesFile is passed with -var-file to examples/demo/demo.pkr.hcl.
const variablesFile = "payloads.pkrvars.json"

func main() {
	cache := flag.String("cache", ".cache/demo", "directory to keep the payloads in")
	images := flag.String("base-images", ".cache", "directory to keep base images in, one for each recipe")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := prepare(ctx, *cache, *images); err != nil {
		fmt.Fprintln(os.Stderr, "prepare:", err)
		stop()
		os.Exit(1)
	}
}

func prepare(ctx context.Context, cache, images string) error {
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return err
	}
	base, err := baseImage(ctx, cache, images)
	if err != nil {
		return fmt.Errorf("base image: %w", err)
	}
	if err := standIns(ctx, cache); err != nil {
		return err
	}
	localai, err := checksum(ctx, filepath.Join(cache, localaiName))
	if err != nil {
		return err
	}
	model, err := checksum(ctx, filepath.Join(cache, modelName))
	if err != nil {
		return err
	}
	other, err := checksum(ctx, filepath.Join(cache, otherModelName))
	if err != nil {
		return err
	}
	return writeVariables(cache, map[string]string{
		"base_image":           filepath.Join(cache, baseName),
		"base_image_checksum":  base,
		"localai_url":          filepath.Join(cache, localaiName),
		"localai_checksum":     localai,
		"backend_url":          filepath.Join(cache, backendName),
		"model_url":            filepath.Join(cache, modelName),
		"model_checksum":       model,
		"other_model_url":      filepath.Join(cache, otherModelName),
		"other_model_checksum": other,
	})
}

func writeVariables(cache string, variables map[string]string) error {
	text, err := json.MarshalIndent(variables, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(cache, variablesFile), append(text, '\n'), 0o644, nil)
}

// checksum returns the digest of a file as "sha256:<hex>".
func checksum(ctx context.Context, path string) (string, error) {
	digests, err := digest.File(ctx, path, nil)
	if err != nil {
		return "", err
	}
	return "sha256:" + digests.SHA256, nil
}

// readOptional returns "" if the file does not exist.
func readOptional(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}
