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
		"links to what is not there": {[][]entry{{symlink("d/a", "../nowhere/b")}}, []string{"5 755 d/", "2 777 d/a ../nowhere/b"}},
		// As containerd unpacks what is made from a distribution.
		"names from the root": {[][]entry{{folder("/usr"), file("/usr/a", "x"), file("//b", "y"), hard("/c", "/usr/a")}}, []string{"5 755 usr/", "0 644 c x", "0 644 b y", "1 644 usr/a c"}},
		"up, and down again":  {[][]entry{{file("a/../b", "x")}}, []string{"0 644 b x"}},
		"a file through a linked directory": {
			[][]entry{{folder("usr"), folder("usr/lib"), symlink("lib", "usr/lib")}, {file("lib/a.so", "x")}},
			[]string{"5 755 usr/", "5 755 usr/lib/", "0 644 usr/lib/a.so x", "2 777 lib usr/lib"},
		},
		"through an absolute link, of the same layer": {
			[][]entry{{symlink("lib", "/usr/lib"), file("lib/a.so", "x")}},
			[]string{"5 755 usr/", "5 755 usr/lib/", "0 644 usr/lib/a.so x", "2 777 lib ./usr/lib"},
		},
		"through links to links": {
			[][]entry{{symlink("a", "b"), symlink("b", "c/./d"), folder("c"), symlink("c/d", "../e"), file("a/x", "x")}},
			[]string{"5 755 c/", "5 755 e/", "0 644 e/x x", "2 777 a b", "2 777 b c/./d", "2 777 c/d ../e"},
		},
		"through a link out, which stays in": {
			[][]entry{{symlink("d", "../../etc"), file("d/passwd", "x")}},
			[]string{"5 755 etc/", "0 644 etc/passwd x", "2 777 d ./etc"},
		},
		"a whiteout through a linked directory": {
			[][]entry{{file("usr/lib/a", "1"), file("usr/lib/b", "1"), symlink("lib", "usr/lib")}, {file("lib/.wh.a", "")}},
			[]string{"5 755 usr/", "5 755 usr/lib/", "0 644 usr/lib/b 1", "2 777 lib usr/lib"},
		},
		"an opaque directory through a link": {
			[][]entry{{file("usr/lib/a", "1"), symlink("lib", "usr/lib")}, {file("lib/.wh..wh..opq", ""), file("lib/b", "2")}},
			[]string{"5 755 usr/", "5 755 usr/lib/", "0 644 usr/lib/b 2", "2 777 lib usr/lib"},
		},
		"a whiteout of a link alone": {
			[][]entry{{file("usr/lib/a", "1"), symlink("lib", "usr/lib")}, {file(".wh.lib", "")}},
			[]string{"5 755 usr/", "5 755 usr/lib/", "0 644 usr/lib/a 1"},
		},
		"a directory above a link": {
			[][]entry{{file("usr/lib/a", "1"), symlink("lib", "usr/lib")}, {folder("lib"), file("lib/b", "2")}},
			[]string{"5 755 lib/", "5 755 usr/", "5 755 usr/lib/", "0 644 usr/lib/a 1", "0 644 lib/b 2"},
		},
		"a hard link before its target":       {[][]entry{{hard("b", "a"), file("a", "x")}}, []string{"0 644 a x", "1 644 b a"}},
		"hard links before each other":        {[][]entry{{hard("d", "c"), hard("b", "a"), hard("c", "b"), file("a", "x")}}, []string{"0 644 a x", "1 644 b a", "1 644 c a", "1 644 d a"}},
		"a hard link that is replaced":        {[][]entry{{hard("b", "none"), file("b", "x")}}, []string{"0 644 b x"}},
		"a hard link through a link":          {[][]entry{{symlink("d", "e"), file("e/x", "x"), hard("a", "d/x")}}, []string{"5 755 e/", "0 644 a x", "1 644 e/x a", "2 777 d e"}},
		"a hard link to a link":               {[][]entry{{symlink("d/a", "../b"), hard("e/c", "d/a")}}, []string{"5 755 d/", "5 755 e/", "2 777 d/a ../b", "2 777 e/c ../b"}},
		"devices and pipes are the machine's": {[][]entry{{file("dev/null", "x")}, {{tar.TypeChar, "dev/null", "", 0o666}, {tar.TypeBlock, "dev/sda", "", 0o666}, {tar.TypeFifo, "p", "", 0o666}, hard("q", "p"), file("a", "x")}}, []string{"5 755 dev/", "0 644 a x"}},
		"links out of the image stay in": {
			[][]entry{{symlink("a/b", "../../etc"), symlink("c", ".."), symlink("d", "/e/../../etc"), symlink("f/up", ".."), symlink("f/out", "up/../../etc"), symlink("g/h", "../../../a/b/x")}},
			[]string{"5 755 a/", "5 755 f/", "5 755 g/", "2 777 a/b .././etc", "2 777 c ./", "2 777 d ./etc", "2 777 f/out .././etc", "2 777 f/up ..", "2 777 g/h .././etc/x"},
		},
		"a link out through a later one": {[][]entry{{symlink("a/out", "up/../x")}, {symlink("a/up", "..")}}, []string{"5 755 a/", "2 777 a/out .././x", "2 777 a/up .."}},
		"links as every system has":      {[][]entry{{symlink("etc/mtab", "../proc/self/mounts"), symlink("dev/fd", "/proc/self/fd")}}, []string{"5 755 dev/", "5 755 etc/", "2 777 dev/fd .././proc/self/fd", "2 777 etc/mtab ../proc/self/mounts"}},
		"what AUFS left": {
			[][]entry{{file(".wh..wh.aufs", ""), folder(".wh..wh.plnk"), file(".wh..wh.plnk/1.2", "x"), folder(".wh..wh.orph"), hard("a", ".wh..wh.plnk/1.2")}},
			[]string{"0 644 a x"},
		},
		"types of before POSIX":           {[][]entry{{{tar.TypeCont, "a", "", 0o644}}}, []string{"0 644 a"}},
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

// chain is links that each lead to the next by way of thousands of directories that are the same.
func chain(n int) []entry {
	var links []entry
	for i := range n {
		links = append(links, symlink(fmt.Sprint("l", i), strings.Repeat("./", 2000)+fmt.Sprint("l", i+1)))
	}
	return links
}

func TestHostileLayers(t *testing.T) {
	for name, tt := range map[string]struct {
		layers [][]entry
		err    string
	}{
		"up":                             {[][]entry{{file("../etc/passwd", "x")}}, `"../etc/passwd" leads out of the image`},
		"down and up":                    {[][]entry{{file("a/../../x", "x")}}, `"a/../../x" leads out of the image`},
		"links in a circle":              {[][]entry{{symlink("a", "b"), symlink("b", "a")}}, `which leads in circles`},
		"a chain of long links":          {[][]entry{chain(50)}, `which leads in circles`},
		"through a link in circles":      {[][]entry{{symlink("a", "b"), symlink("b", "a"), file("a/x", "")}}, `"a/x" leads in circles`},
		"through a link to a file":       {[][]entry{{file("f", ""), symlink("d", "f"), file("d/x", "")}}, `"d/x" goes through f, which is not a directory`},
		"a hard link to nothing":         {[][]entry{{hard("a", "b"), hard("b", "c")}}, `"a" is a hard link to "b", which is not a file of the image`},
		"hard links in a circle":         {[][]entry{{hard("a", "b"), hard("b", "a")}}, `which is not a file of the image`},
		"a hard link to the machine":     {[][]entry{{hard("a", "/etc/shadow")}}, `"a" is a hard link to "/etc/shadow", which is not a file of the image`},
		"a hard link out through a link": {[][]entry{{symlink("d", "/.."), hard("a", "d/../etc/shadow")}}, `which is not a file of the image`},
		"a link of an endless path":      {[][]entry{{symlink("a", strings.Repeat("b", 4097))}}, `"a" is a link to a path that is too long`},
		"an endless path through links":  {[][]entry{{folder(strings.Repeat("a/", 1500)), symlink("l", strings.Repeat("a/", 1500)), folder("l/" + strings.Repeat("b/", 1500))}}, `is too long`},
		"an endless path of long names":  {[][]entry{{folder(strings.Repeat("a", 250) + strings.Repeat("/a", 1000)), symlink("l", strings.Repeat("a", 250)+strings.Repeat("/a", 1000)), file("l/"+strings.Repeat(strings.Repeat("b", 250)+"/", 12)+"c", "")}}, `is too long`},
		"an unknown type":                {[][]entry{{{'Z', "z", "", 0o666}}}, `"z" is of type 'Z', which no layer has`},
		"below a file":                   {[][]entry{{file("d", ""), file("d/x", "x")}}, `"d/x" goes through d, which is not a directory`},
		"a hard link out":                {[][]entry{{hard("a", "../../etc/shadow")}}, `"a" is a hard link to "../../etc/shadow", which leads out of the image`},
		"a hard link to a directory":     {[][]entry{{folder("d"), hard("a", "d")}}, `which is not a file of the image`},
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

// sparse is an archive of one file that is nothing but a hole.
func sparse(size int64) []byte {
	content := archive(file("hole", ""))
	header := content[:512]
	header[156] = tar.TypeGNUSparse
	copy(header[257:], "ustar  \x00")
	binary := func(field []byte, n int64) {
		clear(field)
		field[0] = 0x80
		for i := len(field) - 1; n > 0; i-- {
			field[i] = byte(n)
			n >>= 8
		}
	}
	binary(header[483:495], size)
	// The map of its data has one piece of no length, at the end.
	binary(header[386:398], size)
	binary(header[398:410], 0)
	copy(header[148:156], "        ")
	sum := 0
	for _, b := range header {
		sum += int(b)
	}
	copy(header[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return content
}

func TestHolesOfAFileCount(t *testing.T) {
	image := imageOf(t, sparse(1<<20))
	require.NoError(t, newTree().addLayer(t.Context(), 0, image.layers[0], &budget{2 << 20}))
	err := newTree().addLayer(t.Context(), 0, image.layers[0], &budget{1 << 20})
	require.ErrorContains(t, err, "unpacks to more than 1 GiB and twenty times its size")
	assert.ErrorContains(t, imageOf(t, sparse(1<<62)).WriteTar(t.Context(), io.Discard), "unpacks to more than")
}

func TestNamesTakeBoundedMemory(t *testing.T) {
	full := newTree()
	full.names = maxNames - 3
	image := imageOf(t, archive(symlink("a", "bc"), file("d", "")))
	assert.ErrorContains(t, full.addLayer(t.Context(), 0, image.layers[0], &budget{math.MaxInt64}), `"d" is beyond 64 MiB of names, which no image has`)
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
	f.Add(archive(symlink("lib", "usr/lib"), hard("b", "a"), file("lib/a", "x")), archive(file("lib/.wh.a", ""), hard("c", "/lib/a"), file("/a", "")))
	f.Add(archive(symlink("d", "../../etc"), file("d/passwd", "x"), symlink("e/f", "../../../d/..")), archive(symlink("d", "e"), file("d/f/x", "")))
	f.Add(archive(symlink("a", "b"), symlink("b", "a"), hard("c", "d"), hard("d", "c")), archive(file("a/x", "")))
	f.Add(archive(file(".wh..wh.plnk/1", "x"), hard("y", ".wh..wh.plnk/1"), entry{tar.TypeChar, "y", "", 0}), archive(hard("z", "y")))
	f.Add(archive(folder(strings.Repeat("a/", 500)), symlink("l", strings.Repeat("a/", 500))), archive(folder("l/"+strings.Repeat("b/", 2000))))
	f.Add(sparse(1<<62), archive())
	f.Fuzz(func(t *testing.T, lower, upper []byte) {
		var out bytes.Buffer
		// Holes may become a gibibyte, which is neither wrong nor of interest.
		small := writerFunc(func(b []byte) (int, error) {
			if out.Len() > 1<<20 {
				return 0, io.ErrShortWrite
			}
			return out.Write(b)
		})
		if imageOf(t, lower, upper).WriteTar(t.Context(), small) != nil {
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
