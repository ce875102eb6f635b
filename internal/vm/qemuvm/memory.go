package qemuvm

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// CheckMemory returns an error if this host cannot give a guest so many MiB of memory. QEMU
// would fail to start, because Linux refuses a process more than there is of memory and swap
// space (proc(5), overcommit_memory).
func CheckMemory(mebibytes int) error {
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return fmt.Errorf("read the memory of this host: %w", err)
	}
	host := int((info.Totalram + info.Totalswap) * uint64(info.Unit) >> 20)
	if mebibytes > host {
		return fmt.Errorf("the machine wants %d MiB, this host has %d with its swap space", mebibytes, host)
	}
	return nil
}
