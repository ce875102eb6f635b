// Command prepare makes what the demonstration bakes, out of nothing but Debian's packages
// and this repository: a base image, a stand-in for LocalAI and its backend, and a tiny
// model. It writes their digests to a file of variables for packer build.
//
// It is run at the top of the repository, by make demo-payloads:
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

// variablesFile is what examples/demo/demo.pkr.hcl is given with -var-file.
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
	return writeVariables(cache, map[string]string{
		"base_image":          filepath.Join(cache, baseName),
		"base_image_checksum": base,
		"localai_url":         filepath.Join(cache, localaiName),
		"localai_checksum":    localai,
		"backend_url":         filepath.Join(cache, backendName),
		"model_url":           filepath.Join(cache, modelName),
		"model_checksum":      model,
	})
}

func writeVariables(cache string, variables map[string]string) error {
	text, err := json.MarshalIndent(variables, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(cache, variablesFile), append(text, '\n'), 0o644, nil)
}

// checksum returns the digest of a file in the form the plugin takes.
func checksum(ctx context.Context, path string) (string, error) {
	digests, err := digest.File(ctx, path, nil)
	if err != nil {
		return "", err
	}
	return "sha256:" + digests.SHA256, nil
}

// readOptional returns "" for a file that is not there.
func readOptional(path string) (string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(text), err
}
