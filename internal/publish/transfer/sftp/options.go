package sftp

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

const (
	defaultPort = 22
	// defaultDirectory is among the SAFE_DIRS of OpenNebula's datastores.
	defaultDirectory = "/var/tmp"
)

// Options are the front-end and how to log in. Exactly one of Password, PrivateKeyFile and
// UseAgent must be set.
type Options struct {
	// Host is a name or an address; Port is 22 if it is 0.
	Host string
	Port int
	User string

	Password string
	// PrivateKeyFile is a key without a passphrase, in any format OpenSSH supports.
	PrivateKeyFile string
	// UseAgent uses the agent at $SSH_AUTH_SOCK.
	UseAgent bool

	// KnownHostsFile defaults to ~/.ssh/known_hosts.
	KnownHostsFile string
	// Directory is an absolute path; it defaults to /var/tmp. The front-end reads the image
	// from there, so the datastore's SAFE_DIRS must allow it.
	Directory string
}

var hostPattern = regexp.MustCompile(`^([a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?\.)*[a-zA-Z0-9_]([a-zA-Z0-9_-]*[a-zA-Z0-9_])?\.?$`)

// Mistakes returns everything that is wrong with the options, without reading a file or using
// the network. Each begins with the name of its field in a template.
func (o Options) Mistakes() []error {
	var fields fieldcheck.Fields
	_, notAddress := netip.ParseAddr(o.Host)
	fields.Expect(notAddress == nil || hostPattern.MatchString(o.Host), "host", "must be a host name or an IP address, without user and port")
	fields.Expect(o.Port >= 0 && o.Port <= 65535, "port", "must be from 1 to 65535, got %d", o.Port)
	fields.Check("username", o.User, fieldcheck.Set)
	fields.ExactlyOne("private_key_file", "password, private_key_file and agent", o.Password != "", o.PrivateKeyFile != "", o.UseAgent)
	directory := o.directory()
	fields.Expect(path.IsAbs(directory) && path.Clean(directory) == directory, "directory", `must be an absolute path without ".", "..", and a slash at its end`)
	fields.Expect(transfer.NamesPath(directory), "directory", "must not hold quotation marks, backslashes or control characters")
	return fields.Mistakes()
}

func (o Options) directory() string { return cmp.Or(o.Directory, defaultDirectory) }

// address is host:port, as the packages knownhosts and net expect it.
func (o Options) address() string {
	return net.JoinHostPort(o.Host, strconv.Itoa(cmp.Or(o.Port, defaultPort)))
}

// shown is user and host for messages.
func (o Options) shown() string { return o.User + "@" + o.address() }

func (o Options) knownHostsFile() (string, error) {
	if o.KnownHostsFile != "" {
		return o.KnownHostsFile, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("known_hosts_file is not set, and there is no home with an .ssh/known_hosts: %w", err)
	}
	return filepath.Join(home, ".ssh", "known_hosts"), nil
}
