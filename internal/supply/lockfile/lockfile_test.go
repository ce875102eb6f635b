package lockfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/plainhcl"
)

var someDigest = "sha256:" + strings.Repeat("0123456789abcdef", 4)

func TestDefaultIsAsWritten(t *testing.T) {
	lock := Default()
	goldentest.Equal(t, "default.lock.hcl", lock.Encode())
	for _, arch := range []string{"amd64", "arm64", ""} {
		for _, kind := range []string{KindContextPackage, KindLocalAI, KindBackend, KindModel} {
			_, found := lock.Find(kind, arch, "")
			assert.True(t, found, "%s for %q", kind, arch)
		}
	}
}

func full() Input {
	return Input{
		Kind: KindModel, Name: "small", Arch: "amd64", Version: "1", Source: "https://example.org/a/b.gguf",
		Digest: someDigest, Size: 14334446752, License: "Apache-2.0 OR MIT",
	}
}

func TestEncodeHoldsEverything(t *testing.T) {
	lock := Lock{[]Input{full()}}
	assert.Equal(t, header+`
model "small" {
  version = "1"
  arch    = "amd64"
  source  = "https://example.org/a/b.gguf"
  license = "Apache-2.0 OR MIT"
  size    = 14334446752
  digest  = "`+someDigest+`"
}
`, string(lock.Encode()))
	read, err := Parse("x", lock.Encode())
	require.NoError(t, err)
	assert.Equal(t, lock, read)
}

func TestTheOrderIsThatOfTheKindsThenTheNames(t *testing.T) {
	lock := Lock{[]Input{
		{Kind: KindModel, Name: "a", Source: "a"},
		{Kind: KindBaseImage, Name: "b", Source: "b"},
		{Kind: KindBaseImage, Name: "a", Arch: "arm64", Source: "x"},
		{Kind: KindBaseImage, Name: "a", Arch: "amd64", Source: "y"},
	}}
	read, err := Parse("x", lock.Encode())
	require.NoError(t, err)
	assert.Equal(t, Lock{[]Input{lock.Inputs[3], lock.Inputs[2], lock.Inputs[1], lock.Inputs[0]}}, read)
	assert.Equal(t, KindModel, lock.Inputs[0].Kind, "Encode leaves the lock as it is")
}

func TestEveryMistakeIsListedWithItsLine(t *testing.T) {
	_, err := Parse("bad.lock.hcl", []byte(`
model "a" {
  source  = "https://user:secret@example.org/a"
  digest  = "md5:1"
  size    = -1
  colour  = "red"
}
model "b" {
  source  = "https://example.org/b?token=secret"
  digest  = "sha256:short"
  size    = 1.5
}
localai "c" {
  arch    = "x86_64"
  license = "MIT; or so"
  source  = "ftp://example.org/c"
  size    = 0
}
backend "d" {
}
backend "e" {
  source = "oci://example.org/e:1@`+someDigest+`"
  digest = "sha256:`+strings.Repeat("0", 64)+`"
}
backend "f" { source = "same" }
backend "g" { source = "same" }
backend { source = "h" }
engine "i" { source = "i" }
model "" { source = env.HOME }
model "j" {
  version = "a\u0007b"
  source  = "https:///path"
  digest  = "sha256:`+strings.Repeat("A", 64)+`"
}
model "k" { source = "oci:///r:1" }
`))
	require.Error(t, err)
	assert.Equal(t, strings.TrimSpace(`
bad.lock.hcl:3: source: must hold no user name or password: this file is meant to be committed
bad.lock.hcl:4: digest: must be "sha256:" and 64 hexadecimal digits in lower case; leave it out if it is not known
bad.lock.hcl:5: size: must be a number of bytes, above 0; leave it out if it is not known
bad.lock.hcl:6: An argument named "colour" is not expected here.
bad.lock.hcl:9: source: must hold no query or fragment, which may be a secret: this file is meant to be committed
bad.lock.hcl:10: digest: must be "sha256:" and 64 hexadecimal digits in lower case; leave it out if it is not known
bad.lock.hcl:11: size: Unsuitable value: value must be a whole number, between -9223372036854775808 and 9223372036854775807
bad.lock.hcl:14: arch: must be "amd64", "arm64", or left out where one file serves both
bad.lock.hcl:15: license: must be an SPDX expression, such as "Apache-2.0"
bad.lock.hcl:16: source: must be an http(s) URL, oci://host/repository:tag, or a path
bad.lock.hcl:17: size: must be a number of bytes, above 0; leave it out if it is not known
bad.lock.hcl:19: source: must be an http(s) URL, oci://host/repository:tag, or a path
bad.lock.hcl:23: digest: differs from the digest in the source
bad.lock.hcl:26: this backend is listed a second time with the same source; the first is on line 25
bad.lock.hcl:27: All backend blocks must have 1 labels (name).
bad.lock.hcl:28: Blocks of type "engine" are not expected here.
bad.lock.hcl:29: name: must not be empty
bad.lock.hcl:29: source: must be a plain value, without variables
bad.lock.hcl:31: version: must hold printable characters only
bad.lock.hcl:32: source: is not a URL that can be read
bad.lock.hcl:33: digest: must be "sha256:" and 64 hexadecimal digits in lower case; leave it out if it is not known
bad.lock.hcl:35: source: is not a URL that can be read
`), err.Error())
}

func TestFind(t *testing.T) {
	pinned := func(i Input) Input { i.Digest = someDigest; return i }
	engineA := Input{Kind: KindLocalAI, Name: "engine", Arch: "amd64", Source: "engine-a"}
	engineB := pinned(Input{Kind: KindLocalAI, Name: "engine", Arch: "arm64", Source: "engine-b"})
	anyArch := Input{Kind: KindBackend, Name: "backend", Source: "oci://h/backend:1"}
	onlyArm := Input{Kind: KindBackend, Name: "backend", Arch: "arm64", Source: "oci://h/backend:1"}
	small := Input{Kind: KindModel, Name: "small", Source: "small.gguf"}
	large := Input{Kind: KindModel, Name: "large", Source: "large.gguf"}
	lock := Lock{[]Input{engineA, engineB, anyArch, onlyArm, small, large}}
	for name, test := range map[string]struct {
		kind, arch, source string
		want               Input
	}{
		"the only one of an architecture":            {KindLocalAI, "amd64", "", engineA},
		"by source":                                  {KindModel, "amd64", "small.gguf", small},
		"several names and no source":                {KindModel, "amd64", "", Input{}},
		"another architecture's source":              {KindLocalAI, "amd64", "engine-b", Input{}},
		"no such kind":                               {KindBaseImage, "", "", Input{}},
		"one that names the architecture goes first": {KindBackend, "arm64", "", onlyArm},
		"one for all":                                {KindBackend, "amd64", "oci://h/backend:1", anyArch},
		"any architecture: the one that is pinned":   {KindLocalAI, "", "", engineB},
	} {
		t.Run(name, func(t *testing.T) {
			found, ok := lock.Find(test.kind, test.arch, test.source)
			assert.Equal(t, test.want, found)
			assert.Equal(t, test.want != Input{}, ok)
		})
	}
}

func TestFindModel(t *testing.T) {
	small := Input{Kind: KindModel, Name: "small", Source: "small.gguf"}
	large := Input{Kind: KindModel, Name: "large", Source: "large.gguf"}
	image := Input{Kind: KindBaseImage, Name: "large", Source: "large.qcow2"}
	both, one := Lock{[]Input{image, small, large}}, Lock{[]Input{small}}
	for name, test := range map[string]struct {
		lock       Lock
		source, id string
		want       Input
	}{
		"by id":                      {both, "", "large", large},
		"by source, under any id":    {both, "small.gguf", "large", small},
		"several, and nothing said":  {both, "", "", Input{}},
		"the only one":               {one, "", "", small},
		"the only one, called else":  {one, "", "large", Input{}},
		"a source that is not there": {both, "other.gguf", "large", Input{}},
	} {
		t.Run(name, func(t *testing.T) {
			found, ok := test.lock.FindModel("amd64", test.source, test.id)
			assert.Equal(t, test.want, found)
			assert.Equal(t, test.want != Input{}, ok)
		})
	}
}

func TestPutReplacesTheSamePlaceOnly(t *testing.T) {
	var lock Lock
	lock.Put(full())
	other := full()
	other.Arch = "arm64"
	lock.Put(other)
	changed := full()
	changed.Name, changed.Size = "renamed", 1
	lock.Put(changed)
	assert.Equal(t, []Input{changed, other}, lock.Inputs)
	copied := lock
	copied.Put(full())
	assert.Equal(t, []Input{changed, other}, lock.Inputs)
	_, err := Parse("x", lock.Encode())
	assert.NoError(t, err)
}

func TestWriteAndRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock.hcl")
	lock := Lock{[]Input{full()}}
	require.NoError(t, Write(path, lock))
	read, err := Read(path)
	require.NoError(t, err)
	assert.Equal(t, lock, read)

	bad := full()
	bad.Source = "https://u:p@example.org/x"
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.ErrorContains(t, Write(path, Lock{[]Input{bad}}), "not written")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after)

	_, err = Read(filepath.Join(t.TempDir(), "none"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestMistakesDoNotRepeatSecrets(t *testing.T) {
	for _, source := range []string{
		"https://user:hunter2@example.org/a", "https://example.org/a?sig=hunter2", "https://hunter2@/", "oci://hunter2@h/r:1",
		"https://example.org/a#hunter2", "s3://hunter2@x",
	} {
		_, err := Parse("x", []byte(`model "a" { source = "`+source+`" }`))
		require.Error(t, err, source)
		assert.NotContains(t, err.Error(), "hunter2", source)
	}
}

// nests are texts that a parser which calls itself cannot be given at any length.
var nests = map[string]string{
	"brackets": "(", "lists": "[", "objects": "{a=", "not": "!", "minus": "-", "conditions": "1?", "templates": `"${`,
	"directives": "%{if a}", "indices": "a[", "calls": "f(", "blocks": "\na {\n", "heredocs": "<<A\n${",
}

func TestNestedFilesAreRefused(t *testing.T) {
	for name, nest := range nests {
		t.Run(name, func(t *testing.T) {
			const head = "model \"a\" {\n  source = "
			_, err := Parse("hostile.hcl", []byte(head+strings.Repeat(nest, (plainhcl.MaxSize-len(head))/len(nest))))
			require.ErrorContains(t, err, "hostile.hcl:")
			assert.ErrorContains(t, err, ": is not a lock file: that has blocks of plain texts and numbers, and this is nested deeply")
			_, err = Parse("wrong.hcl", []byte(head+strings.Repeat(nest, 20)+"\n}\n"))
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "nested deeply", "the mistake itself is told")
		})
	}
}

func TestLargeFilesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.lock.hcl")
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("#\n", plainhcl.MaxSize/2)), 0o644))
	_, err := Read(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Repeat("#\n", plainhcl.MaxSize/2+1)), 0o644))
	_, err = Read(path)
	require.ErrorContains(t, err, path+": it is larger than 262144 bytes")
	_, err = Parse("a.lock.hcl", make([]byte, plainhcl.MaxSize+1))
	assert.EqualError(t, err, "a.lock.hcl: is not a lock file: it has more than 262144 bytes")
}

func TestImpossibleNumbers(t *testing.T) {
	for _, size := range []string{"1e999999999", "1e-999999999", "9223372036854775808", strings.Repeat("9", 100000)} {
		_, err := Parse("a", []byte("model \"a\" {\n  source = \"b\"\n  size = "+size+"\n}\n"))
		assert.ErrorContains(t, err, "a:3: size: ", size[:10])
	}
}

func TestMistakesAreListedAsFarAsAnybodyReads(t *testing.T) {
	_, err := Parse("a", []byte(strings.Repeat("engine \"a\" {\n}\n", plainhcl.MaxMistakes+23)))
	require.Error(t, err)
	lines := strings.Split(err.Error(), "\n")
	assert.Len(t, lines, plainhcl.MaxMistakes+1)
	assert.Equal(t, "a: and 23 more mistakes", lines[plainhcl.MaxMistakes])
}

func FuzzParse(f *testing.F) {
	for _, nest := range nests {
		f.Add([]byte("model \"a\" {\n  source = " + strings.Repeat(nest, 100)))
	}
	f.Add(defaultFile)
	f.Add([]byte(`model "a" { source = "b" }`))
	f.Add([]byte("model \"$${a}\" {\n  source = \"%%{b}\\\"\\u00e9\"\n  size = 1\n}\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		lock, err := Parse("fuzz", content)
		if err != nil {
			assert.NotEmpty(t, err.Error())
			return
		}
		encoded := lock.Encode()
		again, err := Parse("fuzz", encoded)
		require.NoError(t, err, "%q", encoded)
		assert.Equal(t, lock, again)
		assert.Equal(t, string(encoded), string(again.Encode()))
	})
}
