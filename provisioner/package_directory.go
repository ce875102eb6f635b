package provisioner

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/checksums"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

// sumsFile is the checksum list in the package directory, in the format of sha256sum.
const sumsFile = "SHA256SUMS"

// debPattern matches the names of files in apt's cache, where "%3a" is the colon of a
// version.
var debPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9.+~%_-]*\.deb$`)

// packageDirectory is a directory of Debian packages on this host.
type packageDirectory struct {
	path string
	// debs are the packages by file name; none if the directory is yet to be filled.
	debs map[string]fetch.File
}

// readPackageDirectory verifies the packages in dir. A directory without packages, or one
// that does not exist, is to be filled.
func readPackageDirectory(ctx context.Context, dir string) (packageDirectory, error) {
	d := packageDirectory{path: dir}
	if dir == "" {
		return d, nil
	}
	paths, err := filepath.Glob(filepath.Join(globEscape(dir), "*.deb"))
	if err != nil || len(paths) == 0 {
		return d, err
	}
	sums, err := readSums(filepath.Join(dir, sumsFile))
	if err != nil {
		return d, fmt.Errorf("package_directory: %w: it tells which packages to trust; empty the directory to have it filled again", err)
	}
	d.debs = map[string]fetch.File{}
	var mistakes []error
	for _, name := range slices.Sorted(maps.Keys(sums)) {
		file, err := readDeb(ctx, filepath.Join(dir, name), sums[name])
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("package_directory: %w: empty the directory to have it filled again", err))
		}
		d.debs[name] = file
	}
	for _, path := range paths {
		if _, listed := sums[filepath.Base(path)]; !listed {
			mistakes = append(mistakes, fmt.Errorf("package_directory: %s is not in %s: remove it, or empty the directory to have it filled again", path, sumsFile))
		}
	}
	return d, errors.Join(mistakes...)
}

func readDeb(ctx context.Context, path, wanted string) (fetch.File, error) {
	sum := sha256.New()
	size, err := digest.Sum(ctx, path, nil, sum)
	if err != nil {
		return fetch.File{}, err
	}
	file := fetch.File{Path: path, SHA256: hex.EncodeToString(sum.Sum(nil)), Size: size}
	if file.SHA256 != wanted {
		return fetch.File{}, fmt.Errorf("%s has sha256:%s, %s says sha256:%s", path, file.SHA256, sumsFile, wanted)
	}
	return file, nil
}

// globEscape makes a Glob pattern match dir literally.
func globEscape(dir string) string {
	return regexp.MustCompile(`[*?[\\]`).ReplaceAllString(dir, `\$0`)
}

func (d packageDirectory) size() (total int64) {
	for _, file := range d.debs {
		total += file.Size
	}
	return total
}

// offline reports whether all packages come from this directory, without a mirror.
func (d packageDirectory) offline() bool { return len(d.debs) > 0 }

// toFill reports whether the packages from a mirror should be saved here.
func (d packageDirectory) toFill() bool { return d.path != "" && !d.offline() }

func readSums(path string) (map[string]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	sums, err := parseSums(content)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return sums, nil
}

// parseSums parses the checksum list of a package directory. If the list is clear-signed,
// the signature is ignored.
func parseSums(content []byte) (map[string]string, error) {
	sums := map[string]string{}
	for _, line := range checksums.Lines(string(content)) {
		sum := line.Sums.SHA256
		if sum == "" || !debPattern.MatchString(line.Name) {
			return nil, fmt.Errorf("line %d is not a SHA-256 and the name of a package", line.Number)
		}
		if earlier, listed := sums[line.Name]; listed && earlier != sum {
			return nil, fmt.Errorf("line %d has another digest for %s than a line before it", line.Number, line.Name)
		}
		sums[line.Name] = sum
	}
	return sums, nil
}
