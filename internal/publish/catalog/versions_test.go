package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
)

// built is the entries of a version as it might have been built: another digest each time.
func built(t *testing.T, version, arch string, created int64, disks int) []Entry {
	t.Helper()
	digestOf := func(disk string) string {
		sum := sha256.Sum256(fmt.Append(nil, version, arch, created, disk))
		return hex.EncodeToString(sum[:])
	}
	system, model := exampleManifest(), exampleManifest()
	system.OSArch, system.CreationTime, system.SHA256 = arch, created, digestOf("system")
	model.OSArch, model.OSID, model.OSRelease, model.CreationTime, model.SHA256 = "", "", "", created, digestOf("model")
	entries, err := NewEntries(exampleApp(version), []manifest.Manifest{system, model}[:disks], baseURL(t, "https://apps.example.org"))
	require.NoError(t, err)
	return entries
}

func foreign(t *testing.T, entries ...string) list {
	t.Helper()
	content := `{"appliances":[`
	for i, e := range entries {
		if i > 0 {
			content += ","
		}
		content += e
	}
	l, err := parseList([]byte(content + "]}"))
	require.NoError(t, err)
	return l
}

func TestWithKeepsWhatItDoesNotKnow(t *testing.T) {
	l := foreign(t, `{"_id":{"$oid":"`+idA+`"},"name":"other","later":{"b":1,"a":"<&>"},"n":12345678901234567890}`)
	l, gone, err := l.with([]Entry{exampleEntry(t)}, 1)
	require.NoError(t, err)
	assert.Empty(t, gone)
	content, err := l.content()
	require.NoError(t, err)
	assert.Contains(t, string(content), `"a": "<&>"`)
	assert.Contains(t, string(content), `"n": 12345678901234567890`)
}

func TestWithKeepsTheNewestVersions(t *testing.T) {
	type version struct {
		name, arch string
		created    int64
		disks      int
	}
	for name, test := range map[string]struct {
		before []version
		now    version
		keep   int
		want   []string
	}{
		"all": {
			[]version{{"1.0", "x86_64", 1, 1}, {"1.1", "x86_64", 2, 1}}, version{"1.2", "x86_64", 3, 1}, 0,
			[]string{"SLM-Copilot 1.2", "SLM-Copilot 1.1", "SLM-Copilot 1.0"},
		},
		"two of three": {
			[]version{{"1.0", "x86_64", 1, 1}, {"1.1", "x86_64", 2, 1}}, version{"1.2", "x86_64", 3, 1}, 2,
			[]string{"SLM-Copilot 1.2", "SLM-Copilot 1.1"},
		},
		"more than there are": {
			[]version{{"1.0", "x86_64", 1, 1}}, version{"1.2", "x86_64", 3, 1}, 9,
			[]string{"SLM-Copilot 1.2", "SLM-Copilot 1.0"},
		},
		"by number, not by time": {
			[]version{{"2.0", "x86_64", 1, 1}, {"1.1", "x86_64", 2, 1}}, version{"1.2", "x86_64", 3, 1}, 2,
			[]string{"SLM-Copilot 1.2", "SLM-Copilot 2.0"},
		},
		"an old version published again stays, beside those that are newer": {
			[]version{{"1.1", "x86_64", 2, 1}, {"1.2", "x86_64", 3, 1}}, version{"1.0", "x86_64", 4, 1}, 2,
			[]string{"SLM-Copilot 1.0", "SLM-Copilot 1.2", "SLM-Copilot 1.1"},
		},
		"a rebuild is one version": {
			[]version{{"1.0", "x86_64", 1, 1}, {"1.1", "x86_64", 2, 1}}, version{"1.1", "x86_64", 3, 1}, 2,
			[]string{"SLM-Copilot 1.1", "SLM-Copilot 1.0"},
		},
		"an architecture is another app": {
			[]version{{"1.0", "x86_64", 1, 1}, {"1.0", "aarch64", 1, 1}}, version{"1.1", "aarch64", 2, 1}, 1,
			[]string{"SLM-Copilot 1.1 aarch64", "SLM-Copilot 1.0"},
		},
		"a set comes and goes together": {
			[]version{{"1.0", "x86_64", 1, 2}, {"1.1", "x86_64", 2, 2}}, version{"1.2", "x86_64", 3, 2}, 2,
			[]string{
				"SLM-Copilot 1.2 system", "SLM-Copilot 1.2 model", "SLM-Copilot 1.2",
				"SLM-Copilot 1.1 system", "SLM-Copilot 1.1 model", "SLM-Copilot 1.1",
			},
		},
		"one image instead of two": {
			[]version{{"1.0", "x86_64", 1, 2}}, version{"1.0", "x86_64", 2, 1}, 0,
			[]string{"SLM-Copilot 1.0"},
		},
		"two images instead of one": {
			[]version{{"1.0", "x86_64", 1, 1}}, version{"1.0", "x86_64", 2, 2}, 0,
			[]string{"SLM-Copilot 1.0 system", "SLM-Copilot 1.0 model", "SLM-Copilot 1.0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := foreign(t)
			for _, v := range test.before {
				next, _, err := l.with(built(t, v.name, v.arch, v.created, v.disks), 0)
				require.NoError(t, err)
				l = next
			}
			before := len(l.entries)
			entries := built(t, test.now.name, test.now.arch, test.now.created, test.now.disks)
			next, gone, err := l.with(entries, test.keep)
			require.NoError(t, err)
			assert.Equal(t, test.want, names(next))
			assert.Len(t, gone, before+len(entries)-len(test.want))

			again, gone, err := next.with(entries, test.keep)
			require.NoError(t, err)
			assert.Empty(t, gone)
			assert.Equal(t, next, again)
		})
	}
}

// Of the entries of others some look like ours: a copy whose values were changed, another
// tool's with a field of the same name.
func TestEntriesOfOthersAreNeverRemoved(t *testing.T) {
	l := foreign(t,
		`{"_id":{"$oid":"aaaaaaaaaaaaaaaaaaaaaaa1"},"name":"Alpine"}`,
		`{"_id":{"$oid":"aaaaaaaaaaaaaaaaaaaaaaa2"},"name":"a","app":"SLM-Copilot","version":"0.1","os-arch":"x86_64","type":"IMAGE"}`,
		`{"_id":{"$oid":"aaaaaaaaaaaaaaaaaaaaaaa3"},"name":"b","app":"SLM-Copilot","version":0.1,"os-arch":"x86_64","type":"VMTEMPLATE"}`,
		`{"_id":{"$oid":"aaaaaaaaaaaaaaaaaaaaaaa4"},"name":"c","app":"SLM-Copilot","version":"../x","os-arch":"x86_64","type":"VMTEMPLATE"}`,
		`{"_id":{"$oid":"aaaaaaaaaaaaaaaaaaaaaaa5"},"name":"d","app":"Other","version":"1","os-arch":"x86_64","type":"VMTEMPLATE"}`,
	)
	l, gone, err := l.with([]Entry{exampleEntry(t)}, 1)
	require.NoError(t, err)
	assert.Empty(t, gone)
	assert.Equal(t, []string{"SLM-Copilot 1.0.0", "Alpine", "a", "b", "c", "d"}, names(l))
}

func TestANameOfAnotherAppIsNotTaken(t *testing.T) {
	l := foreign(t, `{"_id":{"$oid":"`+idA+`"},"name":"SLM-Copilot 1.0.0"}`)
	_, _, err := l.with([]Entry{exampleEntry(t)}, 0)
	assert.ErrorContains(t, err, `the name "SLM-Copilot 1.0.0" belongs to another app of the list already`)
	assert.ErrorContains(t, err, idA)
}
