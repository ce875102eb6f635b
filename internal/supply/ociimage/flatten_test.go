package ociimage

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// entry is one entry of a layer; content is the target of a link.
type entry struct {
	kind    byte
	name    string
	content string
	mode    int64
}

func file(name, content string) entry   { return entry{tar.TypeReg, name, content, 0o644} }
func folder(name string) entry          { return entry{tar.TypeDir, name + "/", "", 0o755} }
func symlink(name, target string) entry { return entry{tar.TypeSymlink, name, target, 0o777} }
func hard(name, target string) entry    { return entry{tar.TypeLink, name, target, 0o644} }

func archive(entries ...entry) []byte {
	var buffer bytes.Buffer
	w := tar.NewWriter(&buffer)
	for _, e := range entries {
		h := &tar.Header{Typeflag: e.kind, Name: e.name, Mode: e.mode, Uid: 1000, Uname: "builder", ModTime: time.Unix(1e9, 0)}
		if e.kind == tar.TypeReg {
			h.Size = int64(len(e.content))
		} else {
			h.Linkname = e.content
		}
		if err := w.WriteHeader(h); err != nil {
			panic(err)
		}
		if h.Size > 0 {
			fmt.Fprint(w, e.content)
		}
	}
	w.Close()
	return buffer.Bytes()
}

func gzipped(content []byte) []byte {
	var buffer bytes.Buffer
	w := gzip.NewWriter(&buffer)
	_, _ = w.Write(content)
	w.Close()
	return buffer.Bytes()
}

func zstandard(content []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(content, nil)
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// imageOf has the layers as they are, without a registry.
func imageOf(t testing.TB, layers ...[]byte) *Image {
	image := &Image{field: "backend"}
	for i, content := range layers {
		path := filepath.Join(t.TempDir(), fmt.Sprint(i))
		require.NoError(t, os.WriteFile(path, content, 0o644))
		image.layers = append(image.layers, layer{digestOf(content), path, int64(len(content))})
	}
	return image
}

// listed shows an archive, one line for each entry, in their order.
func listed(t testing.TB, archive []byte) []string {
	lines := []string{}
	for r := tar.NewReader(bytes.NewReader(archive)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return lines
		}
		require.NoError(t, err)
		content, err := io.ReadAll(r)
		require.NoError(t, err)
		assert.Equal(t, "0 0 root root", fmt.Sprintf("%d %d %s %s", h.Uid, h.Gid, h.Uname, h.Gname))
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%c %o %s %s%s", h.Typeflag, h.Mode, h.Name, h.Linkname, content)))
	}
}

func TestFlatten(t *testing.T) {
	for name, tt := range map[string]struct {
		layers [][]entry
		want   []string
	}{
		"one layer": {
			[][]entry{{folder("lib"), file("run.sh", "#!"), file("lib/a.so", "a"), symlink("lib/b.so", "a.so"), hard("again", "run.sh")}},
			[]string{"5 755 lib/", "0 644 again #!", "0 644 lib/a.so a", "1 644 run.sh again", "2 777 lib/b.so a.so"},
		},
		"set-user-ID is dropped, the rest of the mode stays": {
			[][]entry{{{tar.TypeReg, "sudo", "x", 0o6755}, {tar.TypeDir, "tmp/", "", 0o1777}, {tar.TypeReg, "secret", "", 0o600}}},
			[]string{"5 1777 tmp/", "0 755 sudo x", "0 600 secret"},
		},
		"a directory nobody wrote down": {[][]entry{{file("a/b/c", "x")}}, []string{"5 755 a/", "5 755 a/b/", "0 644 a/b/c x"}},
		"names as tar writes them":      {[][]entry{{folder("."), file("./a", "x"), file("b//c", "y")}}, []string{"5 755 b/", "0 644 a x", "0 644 b/c y"}},
		"the last of several":           {[][]entry{{file("a", "1"), file("a", "2")}}, []string{"0 644 a 2"}},
		"a layer above":                 {[][]entry{{file("a", "1"), file("b", "1")}, {file("a", "2")}}, []string{"0 644 b 1", "0 644 a 2"}},
		"a directory above one": {
			[][]entry{{folder("d"), file("d/a", "1")}, {{tar.TypeDir, "d/", "", 0o700}}},
			[]string{"5 700 d/", "0 644 d/a 1"},
		},
		"a file above a directory":     {[][]entry{{file("d/a", "1")}, {file("d", "2")}}, []string{"0 644 d 2"}},
		"a directory above a file":     {[][]entry{{file("d", "1")}, {folder("d"), file("d/a", "2")}}, []string{"5 755 d/", "0 644 d/a 2"}},
		"a whiteout":                   {[][]entry{{file("d/a", "1"), file("d/b", "1")}, {file("d/.wh.a", "")}}, []string{"5 755 d/", "0 644 d/b 1"}},
		"a whiteout of a directory":    {[][]entry{{file("d/a", "1"), file("e", "1")}, {file(".wh.d", "")}}, []string{"0 644 e 1"}},
		"a whiteout after its file":    {[][]entry{{file("a", "1")}, {file("a", "2"), file(".wh.a", "")}}, []string{"0 644 a 2"}},
		"a whiteout of nothing":        {[][]entry{{file("a", "1")}, {file("x/.wh.y", "")}}, []string{"0 644 a 1"}},
		"an opaque directory":          {[][]entry{{file("d/a", "1"), file("d/b", "1")}, {file("d/c", "2"), file("d/.wh..wh..opq", "")}}, []string{"5 755 d/", "0 644 d/c 2"}},
		"a hard link to a layer below": {[][]entry{{file("z", "1")}, {hard("a", "z")}}, []string{"0 644 a 1", "1 644 z a"}},
		"a hard link that outlives its file": {
			[][]entry{{file("a", "1"), hard("b", "a")}, {file(".wh.a", "")}}, []string{"0 644 b 1"},
		},
		"a hard link stays with the old file": {
			[][]entry{{file("a", "1"), hard("b", "a")}, {file("a", "2")}}, []string{"0 644 b 1", "0 644 a 2"},
		},
		"absolute links mean the image": {
			[][]entry{{symlink("lib/deep/ld.so", "/lib/real.so"), symlink("root", "/"), file("lib/real.so", "x")}},
			[]string{"5 755 lib/", "5 755 lib/deep/", "0 644 lib/real.so x", "2 777 lib/deep/ld.so ../.././lib/real.so", "2 777 root ./"},
		},
		"links to what is not there":      {[][]entry{{symlink("d/a", "../nowhere/b")}}, []string{"5 755 d/", "2 777 d/a ../nowhere/b"}},
		"a link another layer takes away": {[][]entry{{symlink("d", "/etc")}, {file(".wh.d", ""), file("d/a", "x")}}, []string{"5 755 d/", "0 644 d/a x"}},
	} {
		t.Run(name, func(t *testing.T) {
			for packing, pack := range map[string]func([]byte) []byte{
				"tar": func(b []byte) []byte { return b }, "gzip": gzipped, "zstd": zstandard,
			} {
				var layers [][]byte
				for _, entries := range tt.layers {
					layers = append(layers, pack(archive(entries...)))
				}
				var out bytes.Buffer
				require.NoError(t, imageOf(t, layers...).WriteTar(t.Context(), &out), packing)
				assert.Equal(t, tt.want, listed(t, out.Bytes()), packing)
			}
		})
	}
}

func TestHostileLayers(t *testing.T) {
	for name, tt := range map[string]struct {
		layers [][]entry
		err    string
	}{
		"up":                             {[][]entry{{file("../etc/passwd", "x")}}, `"../etc/passwd" leads out of the image`},
		"down and up":                    {[][]entry{{file("a/../../x", "x")}}, `"a/../../x" leads out of the image`},
		"absolute":                       {[][]entry{{file("/etc/passwd", "x")}}, `"/etc/passwd" is an absolute path`},
		"a link out":                     {[][]entry{{symlink("a/b", "../../etc")}}, `"a/b" is a symbolic link to "../../etc", which leads out of the image`},
		"a link out at the top":          {[][]entry{{symlink("a", "..")}}, `which leads out of the image`},
		"an absolute link out":           {[][]entry{{symlink("a", "/b/../../etc")}}, `which leads out of the image`},
		"a link out through another":     {[][]entry{{symlink("d/e/up", ".."), symlink("d/e/out", "up/../../etc")}}, `"d/e/out" is a symbolic link to "up/../../etc", which leads out of the image`},
		"a link out through a later one": {[][]entry{{symlink("a/out", "up/../x")}, {symlink("a/up", "..")}}, `which leads out of the image`},
		"links in a circle":              {[][]entry{{symlink("a", "b"), symlink("b", "a")}}, `which leads in circles`},
		"writing through a link":         {[][]entry{{symlink("d", "/etc"), file("d/passwd", "x")}}, `"d/passwd" goes through d, which is not a directory`},
		"writing through a link below":   {[][]entry{{symlink("d", "e"), folder("e")}, {file("d/x", "x")}}, `"d/x" goes through d, which is not a directory`},
		"below a file":                   {[][]entry{{file("d", ""), file("d/x", "x")}}, `"d/x" goes through d, which is not a directory`},
		"a hard link out":                {[][]entry{{hard("a", "../../etc/shadow")}}, `"a" is a hard link to "../../etc/shadow", which leads out of the image`},
		"a hard link to the machine":     {[][]entry{{hard("a", "/etc/shadow")}}, `"a" is a hard link to "/etc/shadow", which is an absolute path`},
		"a hard link through a link":     {[][]entry{{symlink("d", "e"), file("e/x", "x"), hard("a", "d/x")}}, `which is not a file of the image`},
		"a hard link to a directory":     {[][]entry{{folder("d"), hard("a", "d")}}, `which is not a file of the image`},
		"a device":                       {[][]entry{{{tar.TypeBlock, "sda", "", 0o666}}}, `"sda" is of type '4': only files`},
		"a pipe":                         {[][]entry{{{tar.TypeFifo, "p", "", 0o666}}}, `"p" is of type '6': only files`},
		"a whiteout of the parent":       {[][]entry{{file("d/a", "1")}, {file("d/.wh...", "")}}, `"d/.wh..." removes no file`},
		"a whiteout of itself":           {[][]entry{{file("d/a", "1")}, {file("d/.wh..", "")}}, `"d/.wh.." removes no file`},
		"a whiteout of no name":          {[][]entry{{file("d/.wh.", "")}}, `"d/.wh." removes no file`},
		"a whiteout elsewhere":           {[][]entry{{file("../.wh.home", "")}}, `"../.wh.home" leads out of the image`},
		"an endless name":                {[][]entry{{file(strings.Repeat("a", 256), "")}}, `is not a file name`},
		"an endless path":                {[][]entry{{file(strings.Repeat("a/", 2048)+"b", "")}}, `is too long`},
	} {
		t.Run(name, func(t *testing.T) {
			var layers [][]byte
			for _, entries := range tt.layers {
				layers = append(layers, archive(entries...))
			}
			var out bytes.Buffer
			err := imageOf(t, layers...).WriteTar(t.Context(), &out)
			require.ErrorContains(t, err, "backend.source: unpack the image: ")
			assert.ErrorContains(t, err, tt.err)
			assert.Empty(t, out.Bytes(), "nothing is written before all is known")
		})
	}
}

func TestDamagedLayers(t *testing.T) {
	good := archive(file("a", strings.Repeat("content ", 10000)))
	flipped := gzipped(good)
	flipped[len(flipped)-6] ^= 1
	for name, content := range map[string][]byte{
		"half a gzip":      gzipped(good)[:100],
		"a gzip checksum":  flipped,
		"half a zstd":      zstandard(good)[:40],
		"half an archive":  good[:5000],
		"no archive":       []byte(strings.Repeat("no archive ", 1000)),
		"a gzip of no tar": gzipped([]byte(strings.Repeat("no archive ", 1000))),
	} {
		t.Run(name, func(t *testing.T) {
			err := imageOf(t, content).WriteTar(t.Context(), io.Discard)
			assert.ErrorContains(t, err, "backend.source: unpack the image: layer "+digestOf(content)+": ")
		})
	}
}

func TestBombs(t *testing.T) {
	image := imageOf(t, gzipped(archive(file("zeros", strings.Repeat("\x00", 1<<20)))))
	err := newTree().addLayer(t.Context(), 0, image.layers[0], &budget{1 << 20})
	assert.ErrorContains(t, err, "unpacks to more than 1 GiB and twenty times its size")
	assert.NoError(t, newTree().addLayer(t.Context(), 0, image.layers[0], &budget{1<<20 + 4096}))
	assert.Equal(t, 1<<30+20*image.Size(), newBudget(image.Size()).left)

	full := newTree()
	full.nodes = maxNodes
	err = full.addLayer(t.Context(), 0, image.layers[0], &budget{math.MaxInt64})
	assert.ErrorContains(t, err, `"zeros" is one of more than 262144 files`)
}

func TestCancelStopsWriteTar(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	image := imageOf(t, archive(file("a", strings.Repeat("x", 1<<20)), file("b", strings.Repeat("x", 1<<20))))
	err := image.WriteTar(ctx, writerFunc(func(b []byte) (int, error) {
		cancel()
		return len(b), nil
	}))
	assert.ErrorIs(t, err, context.Canceled)
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestWriteTarPassesOnWhatTheWriterSays(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	require.NoError(t, err)
	defer full.Close()
	err = imageOf(t, archive(file("a", strings.Repeat("x", 1<<20)))).WriteTar(t.Context(), full)
	assert.ErrorContains(t, err, "no space left on device")
}

// No archive, however made, may put a name outside of the directory it is unpacked in.
func FuzzFlatten(f *testing.F) {
	f.Add(archive(file("a/b", "x"), symlink("l", "a/b"), hard("h", "a/b")), archive(file("a/.wh.b", "")))
	f.Add(archive(symlink("a", "b/../../c"), symlink("b", "/")), archive(file("a/x", "")))
	f.Add(gzipped(archive(folder("d"), file("d/.wh..wh..opq", ""))), archive(file("../x", "")))
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		var out bytes.Buffer
		if imageOf(t, lower, upper).WriteTar(t.Context(), &out) != nil {
			return
		}
		written := map[string]byte{}
		links := map[string]string{}
		for r := tar.NewReader(&out); ; {
			h, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			require.NoError(t, err)
			name := path.Clean(h.Name)
			require.True(t, filepath.IsLocal(name), "%q", h.Name)
			require.NotContains(t, written, name, "written twice")
			if dir := path.Dir(name); dir != "." {
				require.Equal(t, byte(tar.TypeDir), written[dir], "%q has no directory", h.Name)
			}
			switch h.Typeflag {
			case tar.TypeLink:
				require.Equal(t, byte(tar.TypeReg), written[h.Linkname])
			case tar.TypeSymlink:
				require.False(t, path.IsAbs(h.Linkname))
				links[name] = h.Linkname
			}
			written[name] = h.Typeflag
		}
		// os.Root opens nothing outside of it, and says so.
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		require.NoError(t, err)
		defer root.Close()
		for name := range links {
			if root.MkdirAll(path.Dir(name), 0o755) == nil {
				_ = root.Symlink(links[name], name)
			}
		}
		for name := range links {
			_, err := root.Stat(name)
			if err != nil {
				require.NotContains(t, err.Error(), "escapes", "%q -> %q", name, links[name])
			}
		}
	})
}
