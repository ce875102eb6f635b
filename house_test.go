package main

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/slm-copilot/packer-plugin-slm-copilot"

// goPackage holds the fields that these tests need from go list.
type goPackage struct {
	ImportPath string
	Dir        string
	Doc        string
	GoFiles    []string
	Imports    []string
	Deps       []string
}

func (p goPackage) below(folder string) bool {
	rest, found := strings.CutPrefix(p.ImportPath, module+"/"+folder)
	return found && (rest == "" || rest[0] == '/')
}

// components may import internal/*, but not each other.
var components = []string{"builder", "provisioner", "post-processor/verify", "post-processor/marketplace", "runtime-agent"}

func listPackages(t *testing.T) []goPackage {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,GoFiles,Imports,Deps", "./...")
	list.Stderr = os.Stderr
	output, err := list.Output()
	require.NoError(t, err)
	var packages []goPackage
	for decoder := json.NewDecoder(strings.NewReader(string(output))); ; {
		var p goPackage
		err := decoder.Decode(&p)
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		packages = append(packages, p)
	}
	require.Greater(t, len(packages), len(components))
	return packages
}

func TestImportsPointOneWay(t *testing.T) {
	for _, p := range listPackages(t) {
		for _, imported := range p.Imports {
			to := goPackage{ImportPath: imported}
			for _, component := range components {
				if !to.below(component) {
					continue
				}
				allowed := p.ImportPath == module || p.below(component)
				assert.True(t, allowed, "%s imports the component %s", p.ImportPath, imported)
			}
			if p.below("internal/appliance") {
				assert.NotContains(t, imported, ".", "internal/appliance imports %s, which is not of the standard library", imported)
			}
			assert.False(t, to.below("examples"), "%s imports the example %s", p.ImportPath, imported)
		}
	}
}

// wings are the folders of internal that contain more than one package. The value lists the
// wings that a wing may import from.
var wings = map[string][]string{
	"supply":  nil,
	"model":   nil,
	"probe":   nil,
	"image":   {"supply", "model", "probe"},
	"vm":      {"supply", "model", "probe", "image"},
	"publish": {"supply", "model", "probe", "image"},
}

func wingOf(p goPackage) string {
	for wing := range wings {
		if p.below("internal/" + wing) {
			return wing
		}
	}
	return ""
}

func TestWingsStandOnEachOther(t *testing.T) {
	met := map[string]bool{}
	for _, p := range listPackages(t) {
		from := wingOf(p)
		met[from] = true
		for _, imported := range p.Imports {
			to := wingOf(goPackage{ImportPath: imported})
			if to == "" || to == from || !p.below("internal") || isStandIn(p) {
				continue
			}
			assert.Contains(t, wings[from], to, "%s imports %s", p.ImportPath, imported)
		}
	}
	for wing := range wings {
		assert.True(t, met[wing], "internal/%s is empty", wing)
	}
}

// isStandIn reports whether a package is a test double, which may import what it stands
// for.
func isStandIn(p goPackage) bool {
	return standIn.MatchString(p.ImportPath)
}

var standIn = regexp.MustCompile(`^` + regexp.QuoteMeta(module) + `/internal/[a-z]+test(/|$)`)

// The agent is in every appliance, a few megabytes large, and cloud operators have to trust
// it, so everything it may link is listed here.
func TestAgentLinksOnlyWhatItNeeds(t *testing.T) {
	allowed := []string{
		module + "/internal/", module + "/runtime-agent", "golang.org/x/sys/",
		// The dependencies of internal/retry and internal/filelock: 33 KB.
		"github.com/cenkalti/backoff/v5", "github.com/gofrs/flock",
		// What counts for the gateway, in the format of Prometheus: 217 KB.
		"github.com/VictoriaMetrics/metrics", "github.com/valyala/fastrand", "github.com/valyala/histogram",
	}
	for _, p := range listPackages(t) {
		if !p.below("runtime-agent") {
			continue
		}
		for _, dependency := range p.Deps {
			isStandard := !strings.Contains(strings.Split(dependency, "/")[0], ".")
			named := slices.ContainsFunc(allowed, func(prefix string) bool { return strings.HasPrefix(dependency, prefix) })
			vendored := strings.HasPrefix(dependency, "vendor/")
			assert.True(t, isStandard || named || vendored, "%s links %s", p.ImportPath, dependency)
		}
	}
}

// Stand-ins are only for tests, and for the demonstration, which says that it uses them.
func TestStandInsAreInNeitherPluginNorAgent(t *testing.T) {
	for _, p := range listPackages(t) {
		if p.below("internal") || p.below("examples") {
			continue
		}
		for _, dependency := range p.Deps {
			assert.NotRegexp(t, standIn, dependency, "linked by %s", p.ImportPath)
		}
	}
}

func TestOnePackageDoesIt(t *testing.T) {
	packages := listPackages(t)
	importers := func(path string) []string {
		var found []string
		for _, p := range packages {
			if slices.ContainsFunc(p.Imports, func(i string) bool { return strings.HasPrefix(i, path) }) {
				found = append(found, strings.TrimPrefix(p.ImportPath, module+"/"))
			}
		}
		return found
	}
	users := func(literal string) []string {
		var found []string
		for _, p := range packages {
			for _, file := range p.GoFiles {
				text, err := os.ReadFile(filepath.Join(p.Dir, file))
				require.NoError(t, err)
				if strings.Contains(string(text), literal) {
					found = append(found, strings.TrimPrefix(p.ImportPath, module+"/"))
					break
				}
			}
		}
		return found
	}
	assert.Equal(t, []string{"internal/publish/opennebula"}, importers("github.com/OpenNebula/"), "goca")
	assert.Equal(t, []string{"internal/image/qemuimg"}, users(`"qemu-img"`), "qemu-img")
	assert.Equal(t, []string{"runtime-agent/systemd"}, users(`"systemctl"`), "systemctl")
}

// Newcomers find a package through the table of wings and the list of mechanisms.
func TestArchitectureNamesEveryPackage(t *testing.T) {
	page, err := os.ReadFile("docs/architecture.md")
	require.NoError(t, err)
	for _, p := range listPackages(t) {
		path, internal := strings.CutPrefix(p.ImportPath, module+"/internal/")
		if !internal || isStandIn(p) || strings.HasPrefix(path, "tools") {
			continue
		}
		parts := strings.Split(path, "/")
		name := parts[min(1, len(parts)-1)]
		assert.Regexp(t, "[`/]"+name+"[`/]", string(page), "docs/architecture.md does not name %s", p.ImportPath)
	}
}

func TestEveryPackageSaysItsJob(t *testing.T) {
	for _, p := range listPackages(t) {
		if len(p.GoFiles) > 0 {
			assert.NotEmpty(t, p.Doc, "%s has no doc comment", p.ImportPath)
		}
	}
}
