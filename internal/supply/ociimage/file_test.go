package ociimage

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// packed is an OCI image layout as one archive, as skopeo and buildx write it.
func packed(t *testing.T, index v1.ImageIndex) []byte {
	t.Helper()
	dir := t.TempDir()
	_, err := layout.Write(dir, index)
	require.NoError(t, err)
	entries := []entry{folder(".")}
	require.NoError(t, filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		entries = append(entries, file("./"+strings.TrimPrefix(name, dir+"/"), string(content)))
		return err
	}))
	return archive(entries...)
}

// saved is what docker save wrote before version 25, and podman and skopeo write today.
func saved(t *testing.T, images map[string]v1.Image) []byte {
	t.Helper()
	references := map[name.Reference]v1.Image{}
	for tag, image := range images {
		parsed, err := name.NewTag(tag)
		require.NoError(t, err)
		references[parsed] = image
	}
	var out bytes.Buffer
	require.NoError(t, tarball.MultiRefWrite(references, &out))
	return out.Bytes()
}

func asJSON(t *testing.T, value any) string {
	content, err := json.Marshal(value)
	require.NoError(t, err)
	return string(content)
}

// flattened is what becomes of an image in a file.
func flattened(t *testing.T, content []byte) ([]string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "image.tar")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	scratch := filepath.Join(t.TempDir(), "cache")
	var out bytes.Buffer
	err := File{Field: "backend", Path: path, Arch: "amd64", Scratch: scratch}.WriteTar(t.Context(), &out)
	left, readErr := os.ReadDir(scratch)
	require.NoError(t, readErr)
	assert.Empty(t, left, "nothing is left behind")
	if err != nil {
		assert.Empty(t, out.Bytes())
		return nil, err
	}
	return listed(t, out.Bytes()), nil
}

func TestImagesInFiles(t *testing.T) {
	layers := [][]byte{gzipped(archive(folder("usr"), symlink("lib", "usr/lib"), file("old", ""))), archive(file("/run.sh", "#!"), file("lib/a.so", "a"), file(".wh.old", ""))}
	want := []string{"5 755 usr/", "5 755 usr/lib/", "0 644 run.sh #!", "0 644 usr/lib/a.so a", "2 777 lib usr/lib"}
	amd, arm := anImage(t, "amd64", layers...), anImage(t, "arm64", archive(file("run.sh", "arm")))
	config := asJSON(t, map[string]string{"os": "linux", "architecture": "amd64"})
	multi := indexOf(listedImage{arm, &v1.Platform{OS: "linux", Architecture: "arm64"}}, listedImage{amd, &v1.Platform{OS: "linux", Architecture: "amd64"}})
	// docker save with the containerd image store leaves out what was not pulled.
	partial := indexOf(listedImage{multi, nil})
	armDigest, err := arm.Digest()
	require.NoError(t, err)
	for name, content := range map[string][]byte{
		"an OCI layout":                   packed(t, indexOf(listedImage{amd, nil})),
		"an OCI layout of several":        packed(t, indexOf(listedImage{arm, nil}, listedImage{amd, nil})),
		"an OCI layout under two names":   packed(t, indexOf(listedImage{amd, nil}, listedImage{amd, nil})),
		"an index in an OCI layout":       packed(t, indexOf(listedImage{multi, nil})),
		"an OCI layout with parts absent": without(t, packed(t, partial), "blobs/sha256/"+armDigest.Hex),
		"docker save":                     saved(t, map[string]v1.Image{"backend:v1": amd}),
		"docker save of several":          saved(t, map[string]v1.Image{"backend:v1": amd, "backend:arm": arm}),
		"docker save under two names":     saved(t, map[string]v1.Image{"backend:v1": amd, "backend:latest": amd}),
		"docker save, by hand": archive(
			file("abc.json", config), folder("1"), symlink("1/layer.tar", "../2/layer.tar"), folder("2"), file("2/layer.tar", string(layers[0])),
			hard("3/layer.tar", "4/layer.tar"), file("4/layer.tar", string(layers[1])),
			file("manifest.json", asJSON(t, []savedImage{{Config: "abc.json", RepoTags: []string{"b:1"}, Layers: []string{"1/layer.tar", "3/layer.tar"}}})),
		),
		"docker save, both forms": archive(
			file("oci-layout", "{}"), file("index.json", `{"schemaVersion": 2, "manifests": []}`), file("c", config), file("l", string(layers[0])), file("m", string(layers[1])),
			file("manifest.json", asJSON(t, []savedImage{{Config: "c", Layers: []string{"l", "m"}}})),
		),
	} {
		t.Run(name, func(t *testing.T) {
			for packing, pack := range map[string]func([]byte) []byte{
				"tar": func(b []byte) []byte { return b }, "gzip": gzipped, "zstd": zstandard,
			} {
				path := filepath.Join(t.TempDir(), "image")
				require.NoError(t, os.WriteFile(path, pack(content), 0o644))
				holds, err := HoldsImage(t.Context(), path, "run.sh")
				require.NoError(t, err, packing)
				assert.True(t, holds, packing)
				got, err := flattened(t, pack(content))
				require.NoError(t, err, packing)
				assert.Equal(t, want, got, packing)
			}
		})
	}
}

// without is an archive less one file.
func without(t *testing.T, content []byte, name string) []byte {
	var entries []entry
	removed := false
	for _, line := range entriesOf(t, content) {
		if cleaned(line.name) == name {
			removed = true
			continue
		}
		entries = append(entries, line)
	}
	require.True(t, removed, name)
	return archive(entries...)
}

func entriesOf(t *testing.T, content []byte) []entry {
	var entries []entry
	for r := tar.NewReader(bytes.NewReader(content)); ; {
		h, err := r.Next()
		if err != nil {
			return entries
		}
		var body bytes.Buffer
		_, err = body.ReadFrom(r)
		require.NoError(t, err)
		entries = append(entries, entry{h.Typeflag, h.Name, body.String() + h.Linkname, h.Mode})
	}
}

func TestArchivesThatAreNoImage(t *testing.T) {
	for name, tt := range map[string]struct {
		content []byte
		image   bool
		err     string
	}{
		"a backend":                    {archive(file("./run.sh", ""), file("manifest.json", "")), false, ""},
		"one in a directory":           {archive(folder("b"), file("b/run.sh", ""), file("b/manifest.json", "")), false, ""},
		"one with a manifest first":    {archive(file("manifest.json", ""), file("run.sh", "")), false, ""},
		"an image in a directory":      {archive(file("image/oci-layout", "")), false, ""},
		"an image without a layout":    {archive(file("index.json", "")), false, ""},
		"no archive":                   {[]byte(strings.Repeat("text", 1000)), false, "is no tar archive that can be read"},
		"a compressed text":            {gzipped([]byte(strings.Repeat("text", 1000))), false, "invalid tar header"},
		"half an archive":              {archive(file("a", strings.Repeat("x", 10000)))[:5000], false, "unexpected EOF"},
		"half a compressed archive":    {gzipped(archive(file("a", strings.Repeat("xyz", 10000))))[:60], false, "unexpected EOF"},
		"an image, what follows aside": {append(archive(file("oci-layout", ""), file("b", ""))[:1024], "garbage"...), true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "archive")
			require.NoError(t, os.WriteFile(path, tt.content, 0o644))
			image, err := HoldsImage(t.Context(), path, "run.sh")
			if tt.err != "" {
				require.ErrorContains(t, err, path+" is no tar archive that can be read: ")
				require.ErrorContains(t, err, tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, tt.image, image)
		})
	}
	path := filepath.Join(t.TempDir(), "backend.tar.xz")
	require.NoError(t, os.WriteFile(path, []byte("\xfd7zXZ\x00"+strings.Repeat("x", 1024)), 0o644))
	_, err := HoldsImage(t.Context(), path, "run.sh")
	require.EqualError(t, err, path+" is compressed (xz): unpack it first (unxz < backend.tar.xz > backend.tar)")
	_, err = HoldsImage(t.Context(), filepath.Join(t.TempDir(), "none"), "run.sh")
	assert.ErrorIs(t, err, fs.ErrNotExist)
}

// hostileFiles are archives that call themselves images.
func hostileFiles() map[string]struct {
	content []byte
	err     string
} {
	layer := string(archive(file("run.sh", "")))
	config := `{"os":"linux","architecture":"amd64"}`
	other := `{"os":"linux","architecture":"arm64"}`
	save := func(manifest string, more ...entry) []byte {
		return archive(append(more, file("manifest.json", manifest), file("c", config), file("l", layer))...)
	}
	oci := func(index string, more ...entry) []byte {
		return archive(append(more, file("oci-layout", "{}"), file("index.json", index))...)
	}
	descriptor := func(content string) string {
		return `{"digest":"` + digestOf([]byte(content)) + `","size":` + asNumber(len(content)) + `}`
	}
	blob := func(content string) entry { return file("blobs/sha256/"+digestOf([]byte(content))[7:], content) }
	manifest := `{"schemaVersion":2,"config":` + descriptor(config) + `,"layers":[` + descriptor(layer) + `]}`
	index := `{"schemaVersion":2,"manifests":[` + descriptor(manifest) + `]}`
	var many []entry
	for i := range maxParts + 1 {
		many = append(many, file(asNumber(i), ""))
	}
	return map[string]struct {
		content []byte
		err     string
	}{
		"empty":                     {archive(file("oci-layout", "{}"), file("index.json", "{}"), file("manifest.json", "[]")), "holds no image"},
		"a layout alone":            {archive(file("oci-layout", "{}")), "holds no image"},
		"no JSON":                   {oci("]"), "its index.json is not JSON"},
		"no JSON, saved":            {save("]"), "holds no image: neither index.json nor manifest.json in it names one"},
		"JSON without an end":       {oci(strings.Repeat("[", 1<<20)), "its index.json is not JSON"},
		"a long index":              {oci(strings.Repeat(" ", maxDocument+1)), "are too many for a manifest"},
		"of another machine":        {save(`[{"Config":"d","Layers":["l"]}]`, file("d", other)), "has no image for linux/amd64, only for: linux/arm64"},
		"several":                   {save(`[{"Config":"c","Layers":["l"]},{"Config":"e","Layers":["l"]}]`, file("e", config)), "has several images for linux/amd64"},
		"no layers":                 {save(`[{"Config":"c"}]`), "has no layers"},
		"a layer of the host":       {save(`[{"Config":"c","Layers":["../../../../etc/passwd"]}]`), `"../../../../etc/passwd" is not in the archive`},
		"a configuration of it":     {save(`[{"Config":"/etc/passwd","Layers":["l"]}]`), `"/etc/passwd" is not in the archive`},
		"a link to the host":        {save(`[{"Config":"c","Layers":["k"]}]`, symlink("k", "/etc/passwd")), `"k" is not in the archive`},
		"links in circles":          {save(`[{"Config":"c","Layers":["k"]}]`, symlink("k", "j"), symlink("j", "k")), `"k" is not in the archive`},
		"digests that climb":        {oci(`{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","size":1}]}`), `names a digest that must be "sha256:"`},
		"a manifest that is absent": {oci(index), "has no image for linux/amd64, only for: one that is not in the archive"},
		"a layer that is absent":    {oci(index, blob(manifest), blob(config)), "is not in the archive"},
		"a layer that is damaged": {oci(index, blob(manifest), blob(config), file("blobs/sha256/"+digestOf([]byte(layer))[7:], strings.Repeat("x", len(layer)))),
			"is damaged: " + digestOf([]byte(layer)) + " has "},
		"more files than any":   {archive(many...), "is one of more than 4096 files"},
		"a hole of an exbibyte": {sparse(1 << 60), "unpacks to more than 1 GiB"},
		"a layer that climbs":   {save(`[{"Config":"c","Layers":["k"]}]`, file("k", string(archive(file("../x", ""))))), `"../x" leads out of the image`},
	}
}

func asNumber(n int) string {
	text, _ := json.Marshal(n)
	return string(text)
}

func TestHostileFiles(t *testing.T) {
	for name, tt := range hostileFiles() {
		t.Run(name, func(t *testing.T) {
			_, err := flattened(t, tt.content)
			require.ErrorContains(t, err, "backend.source: ")
			assert.ErrorContains(t, err, tt.err)
		})
	}
}

// Nothing in an archive makes a file outside of the scratch directory, or stays in it.
func FuzzFile(f *testing.F) {
	for _, tt := range hostileFiles() {
		if len(tt.content) < 1<<16 {
			f.Add(tt.content)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		dir := t.TempDir()
		path, scratch := filepath.Join(dir, "image.tar"), filepath.Join(dir, "a", "b")
		require.NoError(t, os.WriteFile(path, content, 0o644))
		_, _ = HoldsImage(t.Context(), path, "run.sh")
		small := writerFunc(func(b []byte) (int, error) {
			if len(b) > 1<<20 {
				return 0, fs.ErrInvalid
			}
			return len(b), nil
		})
		_ = File{Field: "backend", Path: path, Arch: "amd64", Scratch: scratch}.WriteTar(t.Context(), small)
		for where, want := range map[string]int{dir: 2, filepath.Dir(scratch): 1, scratch: 0} {
			left, err := os.ReadDir(where)
			require.NoError(t, err)
			require.Len(t, left, want, where)
		}
	})
}
