// Package machine reads the facts about the virtual machine that decide its configuration.
package machine

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"strings"
)

// Facts are what the plan depends on besides the settings.
type Facts struct {
	// CPUs is the number of processors this process may run on.
	CPUs int
	// Hostname is empty if it cannot stand in a certificate.
	Hostname string
	// Addresses are those other machines can reach.
	Addresses []netip.Addr
	IPv6      bool
	// BootID is another one after each boot.
	BootID string
}

// Read asks the kernel.
func Read() (Facts, error) {
	bootID, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
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
	_, noIPv6 := os.Stat("/proc/net/if_inet6")
	return Facts{
		// On Linux this is sched_getaffinity at the start of the process.
		CPUs:      runtime.NumCPU(),
		Hostname:  certifiable(hostname),
		Addresses: global(interfaces),
		IPv6:      noIPv6 == nil,
		BootID:    strings.TrimSpace(string(bootID)),
	}, nil
}

var hostname = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// certifiable returns the name in the spelling of certificates, or nothing.
func certifiable(name string) string {
	name = strings.ToLower(name)
	if len(name) > 253 || !hostname.MatchString(name) {
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
