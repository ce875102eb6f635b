package vmcontext

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func put(t *testing.T, path, content string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
}

func TestWhichContextIsUsed(t *testing.T) {
	const (
		saved  = appliance.ContextCopy
		medium = "/dev/disk/by-label/" + appliance.ContextLabel
		files  = "/context/context.sh"
		early  = appliance.EarlyContextCopy
	)
	tests := map[string]struct {
		files   map[string]string
		want    string
		warning string
		failure string
	}{
		"none":                         {nil, "", "", ""},
		"one-context's copy":           {map[string]string{saved: "A='saved'", LastGood: "A='last'"}, "saved", "", ""},
		"a directory":                  {map[string]string{files: "A='files'", LastGood: "A='last'"}, "files", "", ""},
		"the copy before a directory":  {map[string]string{saved: "A='saved'", files: "A='files'"}, "saved", "", ""},
		"one-context's early copy":     {map[string]string{early: "A='early'", LastGood: "A='last'"}, "early", "", ""},
		"the copy before a medium":     {map[string]string{saved: "A='saved'", medium: "rubbish"}, "saved", "", ""},
		"the copy before the early":    {map[string]string{saved: "A='saved'", early: "A='early'"}, "saved", "", ""},
		"a bad medium, a directory":    {map[string]string{medium: "rubbish", files: "A='files'"}, "", "", "mount the CONTEXT medium"},
		"only the last good one":       {map[string]string{LastGood: "A='last'"}, "last", "file does not exist; using the last good", ""},
		"a medium without a file":      {map[string]string{medium: "rubbish", LastGood: "A='last'"}, "last", "mount the CONTEXT medium", ""},
		"a bad medium, nothing else":   {map[string]string{medium: "rubbish"}, "", "", "mount the CONTEXT medium"},
		"a damaged copy":               {map[string]string{saved: "rubbish", LastGood: "A='last'"}, "last", "expected NAME='value'; using the last good", ""},
		"a damaged copy, nothing else": {map[string]string{saved: "rubbish"}, "", "", "expected NAME='value'"},
		"both are damaged":             {map[string]string{saved: "rubbish", LastGood: "rubbish"}, "", "", "expected NAME='value'"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			for path, content := range tt.files {
				put(t, filepath.Join(root, path), content)
			}
			found, err := Find(root, "")
			if tt.failure != "" {
				assert.ErrorContains(t, err, tt.failure)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.want, found.Values["A"])
			assert.Equal(t, tt.warning == "", found.Warning == "", found.Warning)
			assert.Contains(t, found.Warning, tt.warning)
		})
	}
}

func TestAMediumIsReadAndUnmounted(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	root := t.TempDir()
	device := filepath.Join(root, "/dev/disk/by-label/", appliance.ContextLabel)
	put(t, device, "")
	put(t, filepath.Join(root, LastGood), "A='last'")
	for name, tt := range map[string]struct{ content, want string }{
		"a context":  {"A='medium'", "medium"},
		"a bad one":  {"rubbish", "last"},
		"none on it": {"", "last"},
	} {
		t.Run(name, func(t *testing.T) {
			mounted := ""
			found, err := find(root, "", mounter{
				mount: func(from, dir string) error {
					require.Equal(t, device, from)
					mounted = dir
					if tt.content != "" {
						put(t, filepath.Join(dir, appliance.ContextFile), tt.content)
						put(t, filepath.Join(dir, appliance.TokenFile), "the-token")
					}
					return nil
				},
				unmount: func(dir string) error {
					assert.Equal(t, mounted, dir)
					mounted = ""
					return os.RemoveAll(dir)
				},
			})
			require.NoError(t, err)
			assert.Equal(t, tt.want, found.Values["A"])
			if tt.want == "medium" {
				assert.Equal(t, Found{Values: found.Values, Source: device, Token: "the-token"}, found)
			}
			assert.Empty(t, mounted, "it is left mounted")
		})
	}
	left, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	assert.Empty(t, left)
}

func TestANamedFileIsTheOnlyOne(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, LastGood), "A='last'")
	named := filepath.Join(root, "named")
	_, err := Find(root, named)
	assert.ErrorIs(t, err, os.ErrNotExist)
	put(t, named, "A='named'")
	found, err := Find(root, named)
	require.NoError(t, err)
	assert.Equal(t, Found{Values: map[string]string{"A": "named"}, Source: named}, found)
}

func TestAddresses(t *testing.T) {
	got := Addresses(map[string]string{
		"ETH0_IP": "192.0.2.7", "ETH0_IP6": "2001:db8::7", "ETH0_ALIAS0_IP": "192.0.2.8", "ETH10_IP": "192.0.2.9",
		"ETH0_GATEWAY": "192.0.2.1", "ETH0_DNS": "192.0.2.2", "ETH1_IP": "", "ETH2_IP": "rubbish", "ETH3_IP": "127.0.0.1",
		"XETH0_IP": "192.0.2.3",
	})
	assert.Equal(t, []netip.Addr{
		netip.MustParseAddr("192.0.2.8"), netip.MustParseAddr("192.0.2.7"),
		netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("192.0.2.9"),
	}, got)
}
