package machine

import (
	"net"
	"net/netip"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestRead(t *testing.T) {
	facts, err := Read("/")
	require.NoError(t, err)
	out, err := exec.Command("nproc").Output()
	require.NoError(t, err)
	assert.Equal(t, strings.TrimSpace(string(out)), strconv.Itoa(facts.CPUs))
	assert.LessOrEqual(t, facts.Threads, facts.CPUs)
	assert.Positive(t, facts.Threads)
	var system unix.Sysinfo_t
	require.NoError(t, unix.Sysinfo(&system))
	assert.Equal(t, system.Totalram*uint64(system.Unit), facts.Memory)
	assert.Regexp(t, `^[0-9a-f-]{36}$`, facts.BootID)
	for _, address := range facts.Addresses {
		assert.False(t, address.IsLoopback())
	}
}

func TestCertifiable(t *testing.T) {
	for name, want := range map[string]string{
		"vm-7": "vm-7", "VM-7.Example.org": "vm-7.example.org", "": "", "a b": "", "-a": "", "a-": "",
		"under_score": "", "localhost": "", "Localhost": "", "grüße": "", strings.Repeat("a", 254): "",
	} {
		assert.Equal(t, want, Certifiable(name))
	}
}

func TestGlobal(t *testing.T) {
	var interfaces []net.Addr
	for _, cidr := range []string{"127.0.0.1/8", "192.0.2.7/24", "fe80::1/64", "2001:db8::7/64", "::1/128", "10.0.0.1/8"} {
		ip, network, err := net.ParseCIDR(cidr)
		require.NoError(t, err)
		network.IP = ip
		interfaces = append(interfaces, network)
	}
	want := []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7"), netip.MustParseAddr("10.0.0.1")}
	assert.Equal(t, want, global(interfaces))
}
