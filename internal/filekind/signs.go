package filekind

// sign is what a file of some kind has at an offset, which counts from the end if it is negative.
type sign struct {
	offset int64
	bytes  string
	kind   Kind
}

func compressed(by, program, suffix string) Kind {
	return Kind{Is: "is compressed (" + by + ")", Compressed: true, remedy: "unpack it first (" + program + " < $file > $new)", suffix: suffix}
}

func archive(by, program string) Kind {
	return Kind{Is: "is compressed (" + by + ")", Compressed: true, remedy: "unpack it first (" + program + " $file), and use the file in it that is meant"}
}

// disk is the image of a disk in another format than QCOW2, by its name and by qemu-img's.
func disk(called, format string) Kind {
	return Kind{Is: "is " + called, remedy: "make a QCOW2 image of it first (qemu-img convert -f " + format + " -O qcow2 $file $file.qcow2)"}
}

// layered is for formats in which an image may name a file below it, which qemu-img then reads:
// any of the machine that converts it.
func layered(called, format string) Kind {
	return Kind{Is: "is " + called, remedy: "ask whoever made it for a QCOW2 image, or, if you made it yourself, make one of it (qemu-img convert -f " + format + " -O qcow2 $file $file.qcow2)"}
}

func other(is, remedy string) Kind { return Kind{Is: is, remedy: remedy} }

var webPage = other("is a web page", "use the address of the file itself, to which such a page links")

// signs are in the order in which they are looked for: a file may have several.
var signs = append(packs(), disks()...)

// packs are signs of compression and of archives: RFC 1952 (gzip), RFC 8878 (zstd), the formats'
// own specifications (xz, lz4, lzip), PKWARE's APPNOTE (zip) and file(1)'s magic for the others.
func packs() []sign {
	return []sign{
		{0, "\xfd7zXZ\x00", compressed("xz", "unxz", ".xz")},
		{0, "\x1f\x8b", compressed("gzip", "gunzip", ".gz")},
		{0, "\x28\xb5\x2f\xfd", compressed("zstd", "unzstd", ".zst")},
		{0, "BZh", compressed("bzip2", "bunzip2", ".bz2")},
		{0, "\x04\x22\x4d\x18", compressed("lz4", "unlz4", ".lz4")},
		{0, "LZIP", compressed("lzip", "lzip -d", ".lz")},
		{0, "\x5d\x00\x00", compressed("lzma", "unlzma", ".lzma")},
		{0, "\x1f\x9d", compressed("compress", "uncompress", ".Z")},
		{0, "PK\x03\x04", archive("zip", "unzip")},
		{0, "7z\xbc\xaf\x27\x1c", archive("7z", "7z x")},
		{0, "Rar!\x1a\x07", archive("rar", "unrar x")},
	}
}

// disks are signs of images of disks, by the headers in QEMU's block drivers (block/*.c), and of
// what is taken for one.
func disks() []sign {
	return []sign{
		{257, "ustar", other("is a tar archive", "unpack it first (tar -xf $file), and use the image in it")},
		{0, "KDMV", layered("a VMDK image", "vmdk")},
		{0, "COWD", layered("a VMDK image", "vmdk")},
		// It names the files with the data, and these may be any of the machine that converts it.
		{0, "# Disk DescriptorFile", Kind{
			Is: "is the descriptor of a VMDK image, whose data is in other files", remedy: "ask whoever made it for a QCOW2 image",
		}},
		{64, "\x7f\x10\xda\xbe", disk("a VDI image", "vdi")},
		{0, "vhdxfile", disk("a VHDX image", "vhdx")},
		{0, "conectix", disk("a VHD image", "vpc")},
		{-512, "conectix", disk("a VHD image", "vpc")},
		{0, "QED\x00", layered("a QED image", "qed")},
		{0, "WithoutFreeSpace", disk("a Parallels image", "parallels")},
		{0, "WithouFreSpacExt", disk("a Parallels image", "parallels")},
		{32769, "CD001", other("is an ISO 9660 medium, such as an installer comes on", "use a cloud image, which has an installed system")},
		{0, "hsqs", other("is a SquashFS file system", "use a cloud image, which has a disk with a boot loader around it")},
		{0, "<!DOCTYPE", webPage},
		{0, "<!doctype", webPage},
		{0, "<html", webPage},
		{512, "EFI PART", disk("a raw image of a disk", "raw")},
		{510, "\x55\xaa", disk("a raw image of a disk", "raw")},
	}
}
