package serve

import (
	"net"
	"net/netip"
	"strconv"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
)

// Options say where this host can be reached.
type Options struct {
	// Listen is the host:port to listen on. Port 0 selects a free one.
	Listen string
	// Address is the host:port that the front-end connects to. It may be empty if Listen names
	// a host.
	Address string
	// CertificateFile and KeyFile are PEM files; if they are set, the images are served over
	// TLS.
	CertificateFile, KeyFile string
}

// Mistakes returns everything that is wrong with the options, without reading a file or using
// the network. Each begins with the name of its field in a template.
func (o Options) Mistakes() []error {
	var fields fieldcheck.Fields
	host, valid := split(o.Listen, 0)
	fields.Expect(valid, "listen", `must be host:port such as "0.0.0.0:8099"`)
	if o.Address != "" {
		dialled, valid := split(o.Address, 1)
		fields.Expect(valid && !isAny(dialled), "address", `must be the host:port that the front-end dials, such as "ci.example.org:8099"`)
	} else {
		fields.Expect(!valid || !isAny(host), "address", "must be set, because listen names no host that the front-end could dial")
	}
	fields.Expect((o.CertificateFile == "") == (o.KeyFile == ""), "certificate_file", "goes with key_file; set both or none")
	return fields.Mistakes()
}

// split parses host:port and reports whether text has that form, with a port from lowest to
// 65535.
func split(text string, lowest int) (host string, valid bool) {
	host, digits, err := net.SplitHostPort(text)
	if err != nil {
		return "", false
	}
	port, err := strconv.Atoi(digits)
	return host, err == nil && port >= lowest && port <= 65535
}

// isAny reports whether host stands for all addresses of a machine.
func isAny(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "" || err == nil && address.IsUnspecified()
}
