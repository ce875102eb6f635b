package sbom

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePackages(t *testing.T) {
	packages, err := ParsePackages("installed\tzlib1g\t1:1.2.13.dfsg-1\tamd64\tzlib\n" +
		"config-files\told\t1\tall\told\n" +
		"half-installed\tbroken\t1\tall\tbroken\n" +
		"not-installed\tnever\t\t\t\n" +
		"triggers-pending\tlibc-bin\t2.36-9+deb12u13\tamd64\tglibc\n" +
		"installed\tlibc6\t2.36-9\ti386\tglibc\n" +
		"installed\tlibc6\t2.36-9\tamd64\tglibc")
	require.NoError(t, err)
	assert.Equal(t, []Package{
		{"libc-bin", "2.36-9+deb12u13", "amd64", "glibc"},
		{"libc6", "2.36-9", "amd64", "glibc"},
		{"libc6", "2.36-9", "i386", "glibc"},
		{"zlib1g", "1:1.2.13.dfsg-1", "amd64", "zlib"},
	}, packages)
}

func TestParsePackagesListsEveryMistake(t *testing.T) {
	_, err := ParsePackages("installed\tnginx\t1\tamd64\n\ngone\tnginx\t1\tamd64\tnginx\ninstalled\tNginx\t1\tamd64\tnginx\n" +
		"installed\tnginx\t\tamd64\tnginx\ninstalled\tnginx\t1\tamd64\tnginx\n")
	require.Error(t, err)
	for _, want := range []string{"line 1: ", "has 4 fields, not 5", "line 2: ", `line 3: "gone" is not a status`, `line 4: "Nginx"`, `line 5: "nginx", version ""`} {
		assert.ErrorContains(t, err, want)
	}
	assert.NotContains(t, err.Error(), "line 6")

	_, err = ParsePackages("")
	assert.ErrorContains(t, err, "it names none")
}

// The format is dpkg's to understand.
func TestPackagesFormat(t *testing.T) {
	if _, err := exec.LookPath("dpkg-query"); err != nil {
		t.Fatal("dpkg-query is not there: the tests run on Debian or Ubuntu")
	}
	output, err := exec.Command("dpkg-query", "--show", "--showformat="+PackagesFormat).Output()
	require.NoError(t, err)
	packages, err := ParsePackages(string(output))
	require.NoError(t, err)
	assert.Greater(t, len(packages), 50)
	image := example(t)
	image.Packages = packages
	encode(t, image)
}

func FuzzParsePackages(f *testing.F) {
	f.Add("installed\tzlib1g\t1:1.2.13.dfsg-1\tamd64\tzlib\n")
	f.Add("config-files\told\t1\tall\told\n")
	f.Fuzz(func(t *testing.T, text string) {
		packages, err := ParsePackages(text)
		if err != nil {
			assert.Empty(t, packages)
			return
		}
		assert.LessOrEqual(t, len(packages), strings.Count(text, "\n")+1)
		for _, p := range packages {
			assert.NoError(t, p.check())
		}
	})
}
