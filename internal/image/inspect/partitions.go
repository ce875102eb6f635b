package inspect

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/qemuimg"
)

const (
	sectorSize = 512
	// protective is the partition type in an MBR that announces a GPT.
	protective = 0xEE
	linuxType  = 0x83
	// maxEntries is eight times the usual number of GPT entries.
	maxEntries = 1024
)

// readPartitions reads the partition table of a disk: a GPT, or the four primary partitions
// of an MBR. Cloud images have no logical ones.
func readPartitions(disk io.ReaderAt, diskSize int64) ([]qemuimg.Part, error) {
	sector := make([]byte, sectorSize)
	if _, err := disk.ReadAt(sector, 0); err != nil {
		return nil, fmt.Errorf("read the partition table: %w", err)
	}
	if sector[510] != 0x55 || sector[511] != 0xAA {
		return nil, errors.New("the disk has no partition table")
	}
	var found []qemuimg.Part
	for entry := range 4 {
		fields := sector[446+16*entry:][:16]
		if fields[4] == protective {
			return readGPT(disk, diskSize)
		}
		first := int64(binary.LittleEndian.Uint32(fields[8:]))
		count := int64(binary.LittleEndian.Uint32(fields[12:]))
		if fields[4] == 0 || count == 0 {
			continue
		}
		p := qemuimg.Part{Start: first * sectorSize, Size: count * sectorSize}
		if p.Start+p.Size > diskSize {
			return nil, fmt.Errorf("partition %d ends behind the end of the disk", entry+1)
		}
		found = append(found, p)
	}
	return found, nil
}

// readGPT reads only the primary table: a finished image should never need the backup. The
// layout is that of UEFI 2.10, 5.3.
func readGPT(disk io.ReaderAt, diskSize int64) ([]qemuimg.Part, error) {
	header := make([]byte, sectorSize)
	if _, err := disk.ReadAt(header, sectorSize); err != nil {
		return nil, fmt.Errorf("read the GPT: %w", err)
	}
	headerSize := binary.LittleEndian.Uint32(header[12:])
	if !bytes.HasPrefix(header, []byte("EFI PART")) || headerSize < 92 || headerSize > sectorSize {
		return nil, errors.New("the disk has no GPT where its MBR says that there is one")
	}
	sum := binary.LittleEndian.Uint32(header[16:])
	clear(header[16:20])
	if crc32.ChecksumIEEE(header[:headerSize]) != sum {
		return nil, errors.New("the header of the GPT is damaged")
	}
	table := int64(binary.LittleEndian.Uint64(header[72:]))
	count := int(binary.LittleEndian.Uint32(header[80:]))
	entrySize := int(binary.LittleEndian.Uint32(header[84:]))
	if count > maxEntries || entrySize < 128 || entrySize > 4096 || table < 2 || table > diskSize/sectorSize {
		return nil, errors.New("the header of the GPT makes no sense")
	}
	entries := make([]byte, count*entrySize)
	if _, err := disk.ReadAt(entries, table*sectorSize); err != nil {
		return nil, fmt.Errorf("read the GPT: %w", err)
	}
	if crc32.ChecksumIEEE(entries) != binary.LittleEndian.Uint32(header[88:]) {
		return nil, errors.New("the entries of the GPT are damaged")
	}
	return gptEntries(entries, entrySize, diskSize)
}

func gptEntries(entries []byte, entrySize int, diskSize int64) ([]qemuimg.Part, error) {
	var found []qemuimg.Part
	for n := 0; n*entrySize < len(entries); n++ {
		entry := entries[n*entrySize:][:entrySize]
		if bytes.Equal(entry[:16], make([]byte, 16)) {
			continue
		}
		first := binary.LittleEndian.Uint64(entry[32:])
		last := binary.LittleEndian.Uint64(entry[40:])
		if first > last || last >= uint64(diskSize/sectorSize) {
			return nil, fmt.Errorf("partition %d is not on the disk", n+1)
		}
		found = append(found, qemuimg.Part{Start: int64(first) * sectorSize, Size: int64(last-first+1) * sectorSize})
	}
	return found, nil
}
