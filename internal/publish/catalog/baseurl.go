package catalog

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// BaseURL is where a marketplace is served: scheme, host and port, nothing else. OpenNebula
// calls it the ENDPOINT of the marketplace.
type BaseURL struct {
	scheme string
	host   string
	port   int
	text   string
}

var hostPattern = regexp.MustCompile(`^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$`)

// ParseBaseURL parses "http[s]://host[:port]". The error lists every mistake; it does not
// contain the URL, which may include a password.
func ParseBaseURL(text string) (BaseURL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return BaseURL{}, errors.New(`must be an http(s) URL such as "https://apps.example.org"`)
	}
	port, portErr := portOf(u)
	var mistakes []string
	expect := func(ok bool, mistake string) {
		if !ok {
			mistakes = append(mistakes, mistake)
		}
	}
	expect(u.Scheme == "http" || u.Scheme == "https", "must begin with http:// or https://")
	expect(u.User == nil, "must not hold credentials")
	expect(validHost(u.Hostname()), "must name a host or an IP address")
	expect(portErr == nil, "must have a port from 1 to 65535 or none")
	expect(u.Path == "" && u.RawQuery == "" && u.Fragment == "" && !strings.ContainsAny(text, "?#"),
		"must end after the host or the port, without a slash, path, query or fragment")
	if len(mistakes) > 0 {
		return BaseURL{}, errors.New(strings.Join(mistakes, "; "))
	}
	return BaseURL{scheme: u.Scheme, host: u.Hostname(), port: port, text: text}, nil
}

func portOf(u *url.URL) (int, error) {
	text := u.Port()
	switch {
	case text == "" && strings.HasSuffix(u.Host, ":"):
		return 0, errors.New("no port after the colon")
	case text == "" && u.Scheme == "https":
		return 443, nil
	case text == "":
		return 80, nil
	}
	port, err := strconv.Atoi(text)
	if err != nil || port < 1 || port > 65535 {
		return 0, fmt.Errorf("port %q", text)
	}
	return port, nil
}

func validHost(host string) bool {
	_, err := netip.ParseAddr(host)
	return err == nil && !strings.Contains(host, "%") || hostPattern.MatchString(host)
}

// String returns the URL without a trailing slash.
func (b BaseURL) String() string {
	return b.text
}
