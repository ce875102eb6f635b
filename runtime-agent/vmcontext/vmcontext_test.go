package vmcontext

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

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
			found, err := find(t.Context(), root, "", quick(kernel), silent)
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
			found, err := find(t.Context(), root, "", mounter{
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
			}, silent)
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

// The first mounts after a boot may fail.
func TestAMediumIsTriedAFewTimes(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for name, tt := range map[string]struct {
		failures, attempts int
		failure            error
		want               string
	}{
		"it works the third time": {2, 3, unix.EIO, "medium"},
		"it never works":          {100, 6, unix.EIO, "last"},
		"not root":                {100, 1, unix.EPERM, "last"},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			put(t, filepath.Join(root, "/dev/disk/by-label/", appliance.ContextLabel), "")
			put(t, filepath.Join(root, LastGood), "A='last'")
			attempts := 0
			var said []string
			found, err := find(t.Context(), root, "", quick(mounter{
				mount: func(_, dir string) error {
					if attempts++; attempts <= tt.failures {
						return tt.failure
					}
					put(t, filepath.Join(dir, appliance.ContextFile), "A='medium'")
					return nil
				},
				unmount: os.RemoveAll,
			}), func(line string) { said = append(said, line) })
			require.NoError(t, err)
			assert.Equal(t, tt.want, found.Values["A"])
			assert.Equal(t, tt.attempts, attempts)
			if tt.want == "last" {
				assert.Contains(t, found.Warning, tt.failure.Error())
			}
			assert.Len(t, said, tt.attempts-1, "every retry is visible")
		})
	}
}

func silent(string) {}

// quick does not wait between two attempts.
func quick(m mounter) mounter {
	m.retries = mounting
	m.retries.Pause, m.retries.MaxPause = 1, 1
	return m
}

// Sunstone's text boxes add it.
func TestWhiteSpaceAroundAValueIsDropped(t *testing.T) {
	named := filepath.Join(t.TempDir(), "named")
	put(t, named, "ONEGATE_ENDPOINT=' http://169.254.16.9:5030\n'\nETH0_IP='192.0.2.7 '\nSET_HOSTNAME='\tvm-7'\n")
	found, err := Find(t.Context(), t.TempDir(), named, silent)
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"ONEGATE_ENDPOINT": "http://169.254.16.9:5030", "ETH0_IP": "192.0.2.7", "SET_HOSTNAME": "vm-7"}, found.Values)
}

func TestAContextThatIsNotAFileHoldsNobodyUp(t *testing.T) {
	fifo := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(fifo, 0o600))
	root := t.TempDir()
	found, err := Find(t.Context(), root, fifo, silent)
	require.NoError(t, err)
	assert.Empty(t, found.Values, "nobody writes to it")
	put(t, filepath.Join(root, LastGood), "A='last'")
	_, err = Find(t.Context(), root, fifo, silent)
	assert.ErrorContains(t, err, "is empty")
	for _, path := range []string{"/dev/zero", filepath.Dir(fifo)} {
		_, err = Find(t.Context(), t.TempDir(), path, silent)
		assert.ErrorContains(t, err, "not a file")
	}
}

func TestANamedFileIsTheOnlyOne(t *testing.T) {
	root := t.TempDir()
	put(t, filepath.Join(root, LastGood), "A='last'")
	named := filepath.Join(root, "named")
	_, err := Find(t.Context(), root, named, silent)
	assert.ErrorIs(t, err, os.ErrNotExist)
	put(t, named, "A='named'")
	found, err := Find(t.Context(), root, named, silent)
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
