// Package machine reads the facts about the virtual machine that decide its configuration.
package machine

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/sys/unix"
)

// Facts are what the plan depends on, apart from the settings.
type Facts struct {
	// CPUs is the number of processors this process may run on.
	CPUs int
	// Threads is the fastest number of inference threads on them. It is at least 1.
	Threads   int
	Processor Processor
	// Memory is MemTotal in bytes: a few percent less than the virtual machine was given.
	Memory uint64
	// Hostname is empty if none is set, or it is not allowed in a certificate.
	Hostname string
	// Addresses are those other machines can reach.
	Addresses []netip.Addr
	IPv6      bool
	// BootID is different after each boot.
	BootID string
	// ClockUnsynchronized is true until something, such as NTP, has told the kernel that its
	// clock is right, and where that is not known.
	ClockUnsynchronized bool
}

// Read asks the kernel. It reads /proc and /sys below root, which is "/" except in tests;
// what comes from system calls is always the machine's own.
func Read(root string) (Facts, error) {
	facts, err := identity(root)
	if err != nil {
		return Facts{}, err
	}
	if err := readProcessors(root, &facts); err != nil {
		return Facts{}, err
	}
	facts.Memory, err = readMemory(root, "MemTotal")
	return facts, err
}

func identity(root string) (Facts, error) {
	bootID, err := os.ReadFile(filepath.Join(root, "/proc/sys/kernel/random/boot_id"))
	if err != nil {
		return Facts{}, fmt.Errorf("read the boot id: %w", err)
	}
	hostname, err := os.Hostname()
	if err != nil {
		return Facts{}, fmt.Errorf("read the host name: %w", err)
	}
	interfaces, err := net.InterfaceAddrs()
	if err != nil {
		return Facts{}, fmt.Errorf("read the network addresses: %w", err)
	}
	// A sandbox may forbid even to ask, as ProtectClock= does for the engine's unit.
	var clock unix.Timex
	_, errClock := unix.Adjtimex(&clock)
	_, noIPv6 := os.Stat(filepath.Join(root, "/proc/net/if_inet6"))
	return Facts{
		Hostname:  Certifiable(hostname),
		Addresses: global(interfaces),
		IPv6:      noIPv6 == nil,
		BootID:    strings.TrimSpace(string(bootID)),

		ClockUnsynchronized: errClock != nil || clock.Status&unix.STA_UNSYNC != 0,
	}, nil
}

var hostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// Certifiable returns a host name as written in certificates, without the dot that may end it,
// or "" if it cannot be used: every machine without a name is called localhost.
func Certifiable(name string) string {
	name = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(name), "."))
	if name == "localhost" || len(name) > 253 || !hostname.MatchString(name) {
		return ""
	}
	return name
}

func global(interfaces []net.Addr) []netip.Addr {
	var found []netip.Addr
	for _, address := range interfaces {
		network, ok := address.(*net.IPNet)
		if !ok || !network.IP.IsGlobalUnicast() {
			continue
		}
		if ip, ok := netip.AddrFromSlice(network.IP); ok {
			found = append(found, ip.Unmap())
		}
	}
	return found
}
