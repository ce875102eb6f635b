package qemuimg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
)

// Format is the format of all our images.
const Format = "qcow2"

// ErrNotQCOW2 is the error of a file that is in another format.
var ErrNotQCOW2 = errors.New("not a QCOW2 image")

// Info is what the header of a QCOW2 image says about it.
type Info struct {
	// VirtualSize is the size of the disk a guest sees, in bytes.
	VirtualSize int64
	// Backing is the backing file of an overlay, and DataFile the file with the clusters of an
	// image that keeps only its metadata to itself. Both are empty for a standalone image.
	Backing, DataFile string
	// Encrypted reports whether the clusters can be read with a key alone.
	Encrypted bool
	// Compression is the method for compressed clusters: "zlib" or "zstd".
	Compression string
}

// Standalone returns an error if a program that opens the image would open other files too,
// or needs a key. Whoever made the image chose those files, and it could be any of this
// machine: what is in them would become a part of the disk.
func (i Info) Standalone() error {
	var reasons []string
	if i.Backing != "" {
		reasons = append(reasons, fmt.Sprintf("is only an overlay of %q", i.Backing))
	}
	if i.DataFile != "" {
		reasons = append(reasons, fmt.Sprintf("keeps its data in another file, %q", i.DataFile))
	}
	if i.Encrypted {
		reasons = append(reasons, "is encrypted")
	}
	if reasons == nil {
		return nil
	}
	return fmt.Errorf(`it %s; whoever made it can make a complete one of it with "qemu-img convert -O qcow2"`, strings.Join(reasons, ", "))
}

// The numbers and offsets are those of QEMU's docs/interop/qcow2.txt.
const (
	magic           = "QFI\xfb"
	headerLength2   = 72
	headerLength3   = 104
	offsetOfBacking = 8
	offsetOfSize    = 24
	offsetOfCrypt   = 32
	offsetOfFlags   = 72
	offsetOfLength  = 100

	// flagDataFile is an incompatible feature: the clusters are in another file.
	flagDataFile = 1 << 2

	extensionDataFile = 0x44415441
	// maxClusterSize bounds where header and extensions end, because they end in the first
	// cluster.
	maxClusterSize = 2 << 20
	// maxBackingName is the longest name of a backing file, in bytes.
	maxBackingName = 1023
)

// noName stands for a data file that the header leaves to the command line.
const noName = "(unnamed)"

// readInfo parses a header. It follows no reference.
func readInfo(image io.ReaderAt) (Info, error) {
	header := make([]byte, headerLength3+1)
	n, err := image.ReadAt(header, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return Info{}, err
	}
	if !strings.HasPrefix(string(header[:n]), magic) {
		return Info{}, ErrNotQCOW2
	}
	version, length, err := headerLength(header, n)
	if err != nil {
		return Info{}, err
	}
	size := binary.BigEndian.Uint64(header[offsetOfSize:])
	if size > math.MaxInt64 {
		return Info{}, fmt.Errorf("its header is damaged: a disk of %d bytes", size)
	}
	info := Info{
		VirtualSize: int64(size),
		Encrypted:   binary.BigEndian.Uint32(header[offsetOfCrypt:]) != 0,
		Compression: "zlib",
	}
	if info.Backing, err = backingName(image, header); err != nil {
		return Info{}, err
	}
	if info.DataFile, err = dataFileName(image, length); err != nil {
		return Info{}, err
	}
	if version == 2 {
		return info, nil
	}
	if info.DataFile == "" && binary.BigEndian.Uint64(header[offsetOfFlags:])&flagDataFile != 0 {
		info.DataFile = noName
	}
	if length > headerLength3 && header[headerLength3] == 1 {
		info.Compression = "zstd"
	}
	return info, nil
}

// headerLength returns the version of a header, of which n bytes are there, and how long it
// is.
func headerLength(header []byte, n int) (version, length uint32, err error) {
	if n < headerLength2 {
		return 0, 0, errors.New("its header is cut off")
	}
	switch version = binary.BigEndian.Uint32(header[4:]); version {
	case 2:
		return version, headerLength2, nil
	case 3:
		if n < headerLength3 {
			return 0, 0, errors.New("its header is cut off")
		}
		length = binary.BigEndian.Uint32(header[offsetOfLength:])
		if length < headerLength3 || length > maxClusterSize {
			return 0, 0, fmt.Errorf("its header is damaged: a length of %d bytes", length)
		}
		return version, length, nil
	}
	return 0, 0, fmt.Errorf("it is QCOW2 of version %d, known are 2 and 3", version)
}

func backingName(image io.ReaderAt, header []byte) (string, error) {
	offset := binary.BigEndian.Uint64(header[offsetOfBacking:])
	size := binary.BigEndian.Uint32(header[offsetOfBacking+8:])
	if offset == 0 {
		return "", nil
	}
	if size > maxBackingName || offset > maxClusterSize {
		return "", fmt.Errorf("its header is damaged: the name of a backing file of %d bytes", size)
	}
	return text(image, int64(offset), size)
}

// dataFileName searches the extensions that follow the header.
func dataFileName(image io.ReaderAt, headerLength uint32) (string, error) {
	for at := int64(headerLength); at < maxClusterSize; {
		var head [8]byte
		if _, err := image.ReadAt(head[:], at); errors.Is(err, io.EOF) {
			return "", nil
		} else if err != nil {
			return "", err
		}
		kind, size := binary.BigEndian.Uint32(head[:]), binary.BigEndian.Uint32(head[4:])
		switch {
		case kind == 0:
			return "", nil
		case kind == extensionDataFile && size > maxBackingName:
			return "", fmt.Errorf("its header is damaged: the name of a data file of %d bytes", size)
		case kind == extensionDataFile:
			return text(image, at+int64(len(head)), size)
		}
		at += int64(len(head)) + (int64(size)+7)&^7
	}
	return "", nil
}

func text(image io.ReaderAt, offset int64, size uint32) (string, error) {
	if size == 0 {
		return noName, nil
	}
	content := make([]byte, size)
	if _, err := image.ReadAt(content, offset); errors.Is(err, io.EOF) {
		return "", errors.New("its header is cut off")
	} else if err != nil {
		return "", err
	}
	return string(content), nil
}
