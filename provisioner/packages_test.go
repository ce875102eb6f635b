package provisioner

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/remotetest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/checksums"
)

// makeDeb builds a package with dpkg-deb.
func makeDeb(t *testing.T, path, name, version, depends string) {
	tree := filepath.Join(t.TempDir(), "tree")
	require.NoError(t, os.MkdirAll(filepath.Join(tree, "DEBIAN"), 0o755))
	control := fmt.Sprintf("Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: nobody <n@example.org>\nDescription: a stand-in\n of two lines\n", name, version)
	if depends != "" {
		control += "Depends: " + depends + "\n"
	}
	require.NoError(t, os.WriteFile(filepath.Join(tree, "DEBIAN", "control"), []byte(control), 0o644))
	out, err := exec.Command("dpkg-deb", "--root-owner-group", "--build", tree, path).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// filled returns a package directory as an earlier build left it.
func filled(t *testing.T) string {
	dir := t.TempDir()
	makeDeb(t, filepath.Join(dir, "nginx_1%3a1.22_all.deb"), "nginx", "1:1.22", "libpcre")
	makeDeb(t, filepath.Join(dir, "libpcre_8_all.deb"), "libpcre", "8", "")
	makeDeb(t, filepath.Join(dir, "certbot_2_all.deb"), "certbot", "2", "")
	writeSums(t, dir)
	return dir
}

func writeSums(t *testing.T, dir string) {
	sums := map[string]string{}
	paths, err := filepath.Glob(filepath.Join(dir, "*.deb"))
	require.NoError(t, err)
	for _, path := range paths {
		sums[filepath.Base(path)] = local(t, path).SHA256
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, sumsFile), checksums.Format(sums), 0o644))
}

// withApt makes the machine run the real apt and dpkg-deb, with a state of its own and
// without installing anything.
func withApt(t *testing.T, m *remotetest.Machine) {
	withAptOptions(t, m, "-o Debug::NoLocking=1 -o APT::Get::Simulate=true")
}

func withAptOptions(t *testing.T, m *remotetest.Machine, options string) {
	apt, err := exec.LookPath("apt-get")
	require.NoError(t, err)
	deb, err := exec.LookPath("dpkg-deb")
	require.NoError(t, err)
	for _, dir := range []string{"/state/lists/partial", "/cache/archives/partial"} {
		require.NoError(t, os.MkdirAll(m.Path(dir), 0o755))
	}
	m.Write("/state/status", "")
	m.Stub("dpkg-deb", `PATH=/usr/bin:/bin exec `+deb+` "$@"`)
	m.Stub("apt-get", `PATH=/usr/bin:/bin exec `+apt+` -o Dir::State=`+m.Path("/state")+` -o Dir::State::status=`+m.Path("/state/status")+
		` -o Dir::Cache=`+m.Path("/cache")+` -o Dir::Etc=`+m.Path("/etc/apt")+` `+options+` -o APT::Sandbox::User=root -o APT::Architecture=amd64 "$@"`)
	m.Stub("cloud-init", "")
}

func TestPackagesWithoutAMirror(t *testing.T) {
	m := machine(t)
	withApt(t, m)
	b, said := newBake(t, m)
	b.config.PackageDirectory = filled(t)
	var lines []string
	b.say = func(line string) { lines = append(lines, line) }
	require.NoError(t, b.run(t.Context(), "check the free space"))
	require.NoError(t, b.installPackages(t.Context()))
	_ = said
	assert.Contains(t, lines, "packages come from "+b.config.PackageDirectory+" (3 of them), not from a mirror")
	for _, name := range []string{"nginx_1_3a1.22_all.deb", "libpcre_8_all.deb", "certbot_2_all.deb"} {
		assert.FileExists(t, m.Path(packageStore+"/"+name))
	}
	index := m.Read(packageStore + "/Packages")
	assert.Contains(t, index, "Package: nginx\nVersion: 1:1.22\n")
	assert.Contains(t, index, "Filename: ./nginx_1_3a1.22_all.deb\nSize: ")
	installs := strings.Join(m.Calls(), "\n")
	assert.Contains(t, installs, "-o Dir::Etc::SourceList=/var/tmp/slm-copilot-packages/sources.list -o Dir::Etc::SourceParts=/dev/null")

	t.Run("one is missing", func(t *testing.T) {
		m := machine(t)
		withApt(t, m)
		b, _ := newBake(t, m)
		b.config.PackageDirectory = filled(t)
		b.config.Packages = []string{"htop"}
		err := b.run(t.Context(), "install packages")
		require.ErrorContains(t, err, "E: Unable to locate package htop")
		assert.ErrorContains(t, err, "package_directory does not hold what nginx certbot htop needs on this base image: empty it, and build once where a mirror can be reached")
	})
}

func TestPackageDirectoryIsFilled(t *testing.T) {
	for name, prepare := range map[string]func(dir string) error{
		"empty":                  func(dir string) error { return nil },
		"not there":              os.RemoveAll,
		"filled in part, before": func(dir string) error { return os.WriteFile(filepath.Join(dir, "x_1_all.deb.part"), nil, 0o644) },
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			m.Stub("apt-get", `case "$*" in *install*) echo one >'`+m.Path(packageArchive)+`/nginx_1%3a2_all.deb'; echo two >'`+m.Path(packageArchive)+`/certbot_2_all.deb' ;; esac`)
			b, said := newBake(t, m)
			dir := t.TempDir()
			require.NoError(t, prepare(dir))
			b.config.PackageDirectory = dir
			require.NoError(t, b.run(t.Context(), "install packages"))
			assert.Contains(t, *said, dir+" is filled with 2 packages for the next build, which needs no mirror")
			assert.Contains(t, strings.Join(m.Calls(), "\n"), "-o Dir::Cache::Archives=/var/tmp/slm-copilot-archives -o APT::Keep-Downloaded-Packages=true install")

			read, err := readPackageDirectory(t.Context(), dir)
			require.NoError(t, err, "the next build takes it")
			assert.True(t, read.offline())
			assert.Equal(t, local(t, filepath.Join(dir, "nginx_1%3a2_all.deb")), read.debs["nginx_1%3a2_all.deb"])
			assert.Equal(t, int64(8), read.size())
		})
	}
}

func TestPackageDirectoryMistakes(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil func(dir string) error
		errs  []string
	}{
		"no sums":      {func(dir string) error { return os.Remove(filepath.Join(dir, sumsFile)) }, []string{"SHA256SUMS: no such file or directory: it tells which packages to trust"}},
		"strange sums": {func(dir string) error { return os.WriteFile(filepath.Join(dir, sumsFile), []byte("x\n"), 0o644) }, []string{"SHA256SUMS: line 1 is not a SHA-256 and the name of a package"}},
		"out of it": {func(dir string) error {
			return os.WriteFile(filepath.Join(dir, sumsFile), []byte(strings.Repeat("0", 64)+"  ../x.deb\n"), 0o644)
		}, []string{"line 1 is not a SHA-256"}},
		"missing":  {func(dir string) error { return os.Remove(filepath.Join(dir, "libpcre_8_all.deb")) }, []string{"libpcre_8_all.deb: no such file or directory"}},
		"one more": {func(dir string) error { return os.WriteFile(filepath.Join(dir, "evil_1_all.deb"), nil, 0o644) }, []string{"evil_1_all.deb is not in SHA256SUMS"}},
		"two are wrong": {func(dir string) error {
			return firstError(os.WriteFile(filepath.Join(dir, "libpcre_8_all.deb"), nil, 0o644), os.WriteFile(filepath.Join(dir, "certbot_2_all.deb"), nil, 0o644))
		}, []string{"libpcre_8_all.deb has sha256:e3b0c44298fc", "certbot_2_all.deb has sha256:e3b0c44298fc"}},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine(t)
			b, _ := newBake(t, m)
			b.config.PackageDirectory = filled(t)
			require.NoError(t, tt.spoil(b.config.PackageDirectory))
			err := b.runAll(t.Context())
			for _, want := range tt.errs {
				require.ErrorContains(t, err, want)
			}
			assert.Empty(t, m.Uploads(), "nothing is changed on the machine")
		})
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestHostileArchiveNames(t *testing.T) {
	m := machine(t)
	m.Stub("apt-get", `case "$*" in *install*) echo one >'`+m.Path(packageArchive)+`/a b.deb' ;; esac`)
	b, _ := newBake(t, m)
	b.config.PackageDirectory = t.TempDir()
	require.ErrorContains(t, b.run(t.Context(), "install packages"), "package_directory: the machine's list of its packages: line 1 is not")
}

func TestFullDiskWhilePackagesAreInstalled(t *testing.T) {
	m := machine(t)
	m.Stub("apt-get", `case "$*" in *install*) echo "dpkg: error: cannot copy: No space left on device" >&2; exit 100 ;; esac`)
	b, _ := newBake(t, m)
	err := b.run(t.Context(), "install packages")
	require.ErrorContains(t, err, "apt-get install failed")
	assert.ErrorContains(t, err, "the disk of the machine is full: give the source a larger disk_size")
	assert.NoFileExists(t, m.Path("/usr/sbin/policy-rc.d"))
}

func TestServicesDoNotStartWhileInstalled(t *testing.T) {
	m := machine(t)
	policy, seen := m.Path("/usr/sbin/policy-rc.d"), m.Path("/seen")
	m.Stub("apt-get", `case "$*" in *install*) rc=0; '`+policy+`' || rc=$?; echo "the policy says $rc" >'`+seen+`' ;; esac`)
	b, _ := newBake(t, m)
	require.NoError(t, b.installPackages(t.Context()))
	assert.Equal(t, "the policy says 101\n", m.Read("/seen"))
	assert.NoFileExists(t, m.Path("/usr/sbin/policy-rc.d"), "services of the appliance are to start")
}

func TestInstallationEndsWithAFailedUpdate(t *testing.T) {
	m := machine(t)
	m.Stub("apt-get", `case "$*" in *update*) exit 100 ;; esac`)
	b, _ := newBake(t, m)
	require.ErrorContains(t, b.installPackages(t.Context()), "apt-get update failed")
	assert.NotContains(t, strings.Join(m.Calls(), "\n"), "install --no-install-recommends")
}

func FuzzParseSums(f *testing.F) {
	f.Add([]byte(strings.Repeat("ab", 32) + "  nginx_1%3a2_amd64.deb\n"))
	f.Add([]byte("x\n" + strings.Repeat("ab", 32) + " *a.deb"))
	f.Fuzz(func(t *testing.T, content []byte) {
		sums, err := parseSums(content)
		if err != nil {
			return
		}
		for name := range sums {
			if filepath.Base(name) != name || !filepath.IsLocal(name) {
				t.Fatalf("%q leaves the directory", name)
			}
		}
		again, err := parseSums(checksums.Format(sums))
		if err != nil || len(again) != len(sums) {
			t.Fatalf("%v: %v became %v", err, sums, again)
		}
	})
}
