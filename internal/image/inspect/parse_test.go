package inspect

import (
	"bufio"
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

const diskSize = 64 * mebibyte

func readDisk(t *testing.T, head []byte) ([]qemuimg.Part, error) {
	t.Helper()
	return readPartitions(bytes.NewReader(append(head, make([]byte, mebibyte)...)), diskSize)
}

func TestPartitions(t *testing.T) {
	first, second := qemuimg.Part{Start: mebibyte, Size: 3 * mebibyte}, qemuimg.Part{Start: 4 * mebibyte, Size: 60 * mebibyte}
	for name, head := range map[string][]byte{
		"MBR": mbr(linuxType, first, qemuimg.Part{}, second),
		"GPT": gpt(diskSize, first, second),
	} {
		found, err := readDisk(t, head)
		require.NoError(t, err, name)
		assert.Equal(t, []qemuimg.Part{first, second}, found, name)
	}
}

func TestDamagedPartitions(t *testing.T) {
	inside := qemuimg.Part{Start: mebibyte, Size: mebibyte}
	outside := qemuimg.Part{Start: mebibyte, Size: 64 * mebibyte}
	change := func(head []byte, at int) []byte {
		head[at] ^= 0xff
		return head
	}
	for want, head := range map[string][]byte{
		"no partition table":                 make([]byte, sectorSize),
		"partition 2 ends behind the end":    mbr(linuxType, inside, outside),
		"no GPT where its MBR says":          mbr(protective, inside),
		"the header of the GPT is damaged":   change(gpt(diskSize, inside), sectorSize+24),
		"the entries of the GPT are damaged": change(gpt(diskSize, inside), 2*sectorSize+32),
		"partition 2 is not on the disk":     gpt(diskSize, inside, outside),
		"partition 1 is not on the disk":     gpt(diskSize, qemuimg.Part{Start: 2 * mebibyte, Size: -mebibyte}),
	} {
		_, err := readDisk(t, head)
		assert.ErrorContains(t, err, want)
	}
	_, err := readPartitions(strings.NewReader(""), diskSize)
	assert.ErrorContains(t, err, "read the partition table: EOF")
}

func FuzzPartitions(f *testing.F) {
	f.Add(mbr(linuxType, qemuimg.Part{Start: mebibyte, Size: mebibyte}))
	f.Add(gpt(diskSize, qemuimg.Part{Start: mebibyte, Size: mebibyte}))
	f.Fuzz(func(t *testing.T, disk []byte) {
		found, err := readPartitions(bytes.NewReader(disk), diskSize)
		for _, p := range found {
			assert.NoError(t, err)
			assert.GreaterOrEqual(t, p.Start, int64(0))
			assert.Positive(t, p.Size)
			assert.LessOrEqual(t, p.Start+p.Size, int64(diskSize))
		}
	})
}

func TestListing(t *testing.T) {
	const listing = "/2/040755/0/0/.//\n/2/040755/0/0/..//\n/0/000000/0/0//0/\n/0/100644/0/0/gone/5/\n" +
		"/12/120777/0/0/bin/7/\n/35/040755/0/0/a b//\n/36/100600/1000/0/x<12>/14334446752/\n\n"
	entries, err := readListing(bufio.NewReader(strings.NewReader(listing)))
	require.NoError(t, err)
	assert.Equal(t, []entry{{"bin", 12, 0o120777, 7}, {"a b", 35, 0o040755, 0}, {"x<12>", 36, 0o100600, 14334446752}}, entries)

	for text, want := range map[string]string{
		"/2/040755/0/0/a//\n":       "the list is cut short",
		"/2/040755/0/0/a\nb/1/\n\n": `"/2/040755/0/0/a\n" is not an entry`,
		"/2/040955/0/0/a/1/\n\n":    "is not an entry",
	} {
		_, err := readListing(bufio.NewReader(strings.NewReader(text)))
		assert.ErrorContains(t, err, want)
	}
}

func FuzzListing(f *testing.F) {
	f.Add("/2/040755/0/0/.//\n/36/100600/1000/0/x/14/\n\n")
	f.Fuzz(func(t *testing.T, text string) {
		entries, _ := readListing(bufio.NewReader(strings.NewReader(text)))
		for _, e := range entries {
			assert.NotZero(t, e.inode)
			assert.NotContains(t, e.name, "/", "no name leads out of its directory")
			assert.NotContains(t, []string{"", ".", ".."}, e.name)
			assert.GreaterOrEqual(t, e.size, int64(0))
		}
	})
}

func TestAnswersThatDoNotFit(t *testing.T) {
	take := func(_ int, r *bufio.Reader) error {
		_, err := r.ReadString('\n')
		return err
	}
	requests := []string{"a", "b"}
	assert.NoError(t, readAnswers(strings.NewReader("debugfs: a\n1\ndebugfs: b\n2\n"), requests, take))
	for output, want := range map[string]string{
		"debugfs: a\n1\n":               `debugfs ended before "b"`,
		"debugfs: a\n1\nmore\n":         `debugfs said "more\n" before "b"`,
		"debugfs: a\n1\ndebugfs: b\n":   "b: EOF",
		"debugfs: b\n1\ndebugfs: a\n\n": `before "a"`,
	} {
		assert.ErrorContains(t, readAnswers(strings.NewReader(output), requests, take), want)
	}
}

func TestComplaint(t *testing.T) {
	assert.Empty(t, complaint("debugfs 1.47.0 (5-Feb-2023)\n"))
	assert.Equal(t, "a; b; c", complaint("debugfs 1.47.0 (5-Feb-2023)\na\nb\n\nc\nd\n"))
}

func TestUsage(t *testing.T) {
	const text = `Filesystem features:      has_journal ext_attr
Filesystem state:         clean
Free blocks:              1414281
Block size:               4096

Group 0: (Blocks 0-32767) csum 0x339d [ITABLE_ZEROED]
  2 free blocks, 2 free inodes, 896 directories
  Free blocks: 16160, 16538-16540
  Free inodes: 363, 763
Group 1: (Blocks 32768-65535) csum 0x0d5c [ITABLE_ZEROED]
  Free blocks: 
`
	found, err := parseUsage(strings.NewReader(text))
	require.NoError(t, err)
	assert.Equal(t, usage{blockSize: 4096, clean: true, free: []extent{{16160, 16160}, {16538, 16540}}}, found)

	for before, after := range map[string]string{"state:         clean": "state:         not clean", "ext_attr": "needs_recovery"} {
		found, err := parseUsage(strings.NewReader(strings.Replace(text, before, after, 1)))
		require.NoError(t, err)
		assert.False(t, found.clean, after)
	}
	for before, after := range map[string]string{
		"16160,": "16160 to", "16538-16540": "16540-16538", "Block size:               4096": "", "size:               4096": "size: 1",
	} {
		_, err := parseUsage(strings.NewReader(strings.Replace(text, before, after, 1)))
		assert.Error(t, err, after)
	}
}

func FuzzUsage(f *testing.F) {
	f.Add("Filesystem state: clean\nBlock size: 4096\n  Free blocks: 1, 3-5\n")
	f.Fuzz(func(t *testing.T, text string) {
		found, err := parseUsage(strings.NewReader(text))
		if err != nil {
			return
		}
		assert.GreaterOrEqual(t, found.blockSize, int64(1024))
		for _, e := range found.free {
			assert.LessOrEqual(t, e.first, e.last)
		}
	})
}
