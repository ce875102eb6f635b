package catalog

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/shell"
)

//go:embed nginx.conf.tmpl
var siteText string

var siteTemplate = template.Must(template.New("nginx.conf").Option("missingkey=error").Parse(siteText))

// renderSite returns the nginx site that serves directory at base.
func renderSite(directory string, base BaseURL) ([]byte, error) {
	host := base.host
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	var buffer bytes.Buffer
	err := siteTemplate.Execute(&buffer, map[string]any{
		"BaseURL":   base.String(),
		"Directory": directory,
		// For the shell commands that the site's comments tell operators to run.
		"Quoted": shell.Quote(directory),
		"Add":    base.AddCommands(),
		"Host":   host,
		"Listen": base.listen(),
		"TLS":    base.scheme == "https",
		"Images": imagesDir,
	})
	if err != nil {
		return nil, fmt.Errorf("write the nginx site: %w", err)
	}
	return buffer.Bytes(), nil
}

// Site returns the nginx site that serves the catalog in directory at base, which may
// differ from the base URL the catalog was created with.
func Site(directory string, base BaseURL) ([]byte, error) {
	if _, err := os.Stat(filepath.Join(directory, listFile)); err != nil {
		return nil, fmt.Errorf("there is no marketplace in %s: %w", directory, err)
	}
	dir, err := filepath.Abs(directory)
	if err != nil {
		return nil, fmt.Errorf("find the catalog %s: %w", directory, err)
	}
	if err := CheckDirectory(dir); err != nil {
		return nil, fmt.Errorf("catalog %s: %w", dir, err)
	}
	return renderSite(dir, base)
}

// AddCommands returns the commands an operator runs on the front-end to add the
// marketplace.
func (b BaseURL) AddCommands() []string {
	return []string{
		`printf '%s\n' 'NAME="` + appliance.Title + `"' 'MARKET_MAD="one"' 'ENDPOINT="` + b.String() + `"' >market.txt`,
		"onemarket create market.txt",
	}
}

// listen binds a marketplace to the loopback address if its URL names that. Any other
// address may belong to a proxy or a router in front of the server, so nginx then listens
// on all addresses.
func (b BaseURL) listen() string {
	address, err := netip.ParseAddr(b.host)
	switch {
	case err == nil && address.IsLoopback():
		return netip.AddrPortFrom(address, uint16(b.port)).String()
	case strings.EqualFold(b.host, "localhost"):
		return fmt.Sprintf("127.0.0.1:%d", b.port)
	case err == nil && address.Is6():
		return fmt.Sprintf("[::]:%d", b.port)
	}
	return fmt.Sprint(b.port)
}

// CheckDirectory returns an error if directory cannot hold a catalog: nginx cannot express
// some characters in a path.
func CheckDirectory(directory string) error {
	if strings.TrimSpace(directory) == "" {
		return errors.New("must be set to the directory of the marketplace")
	}
	if strings.ContainsAny(directory, "$\"\\{}") || strings.ContainsFunc(directory, func(r rune) bool { return r < ' ' || r == 0x7F }) {
		return errors.New(`must not hold any of $ " \ { } or a control character, which nginx cannot have in a path`)
	}
	if filepath.Clean(directory) == "/" {
		return errors.New("must not be the root directory")
	}
	return nil
}
