package provisioner

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/checksums"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/remote"
)

// packagesTimeout allows for one-context and its dependencies on an emulated processor.
const packagesTimeout = time.Hour

// Where packages are kept on the machine until clean_up.sh empties /var/tmp.
const (
	packageStore   = "/var/tmp/slm-copilot-packages"
	contextDeb     = "/var/tmp/slm-copilot-context/" + appliance.OneContext + ".deb"
	packageArchive = "/var/tmp/slm-copilot-archives"
)

// installPackages installs everything in one transaction, including one-context, so that
// apt can resolve its dependencies from whatever repository is in use.
func (b *bake) installPackages(ctx context.Context) error {
	names := b.packages()
	if b.config.Context == appliance.OneContext {
		if err := b.uploadFile(ctx, appliance.OneContext, b.payload.context, contextDeb, 0o644); err != nil {
			return err
		}
		names = append(names, contextDeb)
	}
	env := remote.Env{
		"PACKAGES": strings.Join(names, " "), "REPOSITORY": "", "ARCHIVES": "",
		"NGINX_CONNECTIONS": strconv.Itoa(appliance.NginxConnections),
	}
	if b.payload.packages.offline() {
		env["REPOSITORY"] = packageStore
		if err := b.uploadPackages(ctx); err != nil {
			return err
		}
	}
	if b.payload.packages.toFill() {
		env["ARCHIVES"] = packageArchive
	}
	if _, err := b.script(ctx, "install_packages", env, packagesTimeout, occasionally(10*time.Second, b.say)); err != nil {
		return err
	}
	return b.fillPackageDirectory(ctx)
}

func (b *bake) packages() []string {
	names := []string{"nginx", "certbot"}
	if strings.HasSuffix(b.pinned[fieldBackend].input.Source, ".tar.zst") {
		names = append(names, "zstd")
	}
	return append(names, b.config.Packages...)
}

func (b *bake) uploadPackages(ctx context.Context) error {
	b.say(fmt.Sprintf("packages come from %s (%d of them), not from a mirror", b.config.PackageDirectory, len(b.payload.packages.debs)))
	for _, name := range slices.Sorted(maps.Keys(b.payload.packages.debs)) {
		// apt reads a percent sign in a file name as an escape.
		path := packageStore + "/" + strings.ReplaceAll(name, "%", "_")
		if err := b.uploadFile(ctx, name, b.payload.packages.debs[name], path, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// fillPackageDirectory downloads the packages that the mirror supplied. They are renamed to
// *.deb only at the end, so that a partly filled directory counts as empty.
func (b *bake) fillPackageDirectory(ctx context.Context) error {
	if !b.payload.packages.toFill() {
		return nil
	}
	text, err := b.script(ctx, "list_archives", remote.Env{"ARCHIVES": packageArchive}, packagesTimeout, nil)
	if err != nil {
		return err
	}
	sums, err := parseSums([]byte(text))
	if err != nil {
		return fmt.Errorf("package_directory: the machine's list of its packages: %w", err)
	}
	dir := b.config.PackageDirectory
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("package_directory: %w", err)
	}
	names := slices.Sorted(maps.Keys(sums))
	b.say(fmt.Sprintf("bring %d packages back to %s", len(names), dir))
	for _, name := range names {
		if err := b.downloadPackage(ctx, name, sums[name], filepath.Join(dir, name+".part")); err != nil {
			return fmt.Errorf("package_directory: %w", err)
		}
	}
	if err := atomicfile.Write(filepath.Join(dir, sumsFile), checksums.Format(sums), 0o644, nil); err != nil {
		return fmt.Errorf("package_directory: %w", err)
	}
	for _, name := range names {
		if err := os.Rename(filepath.Join(dir, name+".part"), filepath.Join(dir, name)); err != nil {
			return fmt.Errorf("package_directory: %w", err)
		}
	}
	b.say(fmt.Sprintf("%s is filled with %d packages for the next build, which needs no mirror", dir, len(names)))
	return nil
}

func (b *bake) downloadPackage(ctx context.Context, name, sum, path string) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	err = b.machine.Download(ctx, packageArchive+"/"+name, sum, file)
	return errors.Join(err, file.Close())
}
