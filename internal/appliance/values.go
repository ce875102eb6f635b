package appliance

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// checkHTTPS allows only what needs no quoting in a command and a configuration file.
func checkHTTPS(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || !urlText.MatchString(value) {
		return errors.New("must be a URL that starts with https://")
	}
	return nil
}

var urlText = regexp.MustCompile(`^[A-Za-z0-9._~:/?=&%\[\]-]+$`)

func checkEmail(value string) error {
	address, err := mail.ParseAddress(value)
	if err != nil || address.Address != value || !emailText.MatchString(value) {
		return errors.New("must be an e-mail address")
	}
	return nil
}

var emailText = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.!#$%&'*+/=?^_{|}~-]*@[A-Za-z0-9.-]+$`)

// maxOrigins and the lengths in the patterns below keep the list within what nginx reads: a
// parameter of its configuration has at most 4096 bytes, of which an escaped one takes four.
const maxOrigins = 100

var (
	// webOrigin matches the Origin header of a web page: scheme, host and port.
	webOrigin = regexp.MustCompile(`^(https?)://([a-z0-9_]([a-z0-9._-]{0,251}[a-z0-9_])?|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?$`)
	// appOrigin matches that of an application with a scheme of its own. Some have a random
	// host, as views of VS Code do, so the scheme alone may be listed.
	appOrigin = regexp.MustCompile(`^[a-z][a-z0-9+.-]{1,31}://[A-Za-z0-9._-]{0,253}$`)
)

// origins returns the list of CORS origins, nil for all, as browsers write them. It accepts
// commas as separators too, because people use them, and a slash at the end.
func origins(value string) ([]string, error) {
	list := strings.FieldsFunc(value, func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
	if slices.Equal(list, []string{"*"}) {
		return nil, nil
	}
	const rule = "must be an asterisk or origins such as https://ide.example.org separated by blanks"
	if len(list) == 0 {
		return nil, errors.New(rule)
	}
	for i, item := range list {
		canonical, ok := origin(item)
		if !ok {
			return nil, fmt.Errorf("%s; %s is neither", rule, quote(item))
		}
		list[i] = canonical
	}
	slices.Sort(list)
	if list = slices.Compact(list); len(list) > maxOrigins {
		return nil, fmt.Errorf("must be at most %d origins, has %d", maxOrigins, len(list))
	}
	return list, nil
}

// origin returns an origin as a browser sends it, which is what it is compared with.
func origin(item string) (canonical string, ok bool) {
	if item == "null" {
		return item, true // pages from files and sandboxes have this one, all of them
	}
	scheme, rest, hasScheme := strings.Cut(item, "://")
	scheme = strings.ToLower(scheme)
	switch scheme {
	case "http", "https":
		return httpOrigin(scheme + "://" + strings.ToLower(strings.TrimSuffix(rest, "/")))
	case "file", "null":
		return "", false // browsers send null
	}
	item = scheme + "://" + rest
	if host, slash := strings.CutSuffix(rest, "/"); slash && host != "" {
		item = scheme + "://" + host
	}
	return item, hasScheme && appOrigin.MatchString(item)
}

var defaultPorts = map[string]int{"http": 80, "https": 443}

func httpOrigin(item string) (canonical string, ok bool) {
	parts := webOrigin.FindStringSubmatch(item)
	if parts == nil {
		return "", false
	}
	scheme, host, port := parts[1], parts[2], parts[4]
	if address, isAddress := strings.CutPrefix(host, "["); isAddress {
		ip, err := netip.ParseAddr(strings.TrimSuffix(address, "]"))
		if err != nil || !ip.Is6() {
			return "", false
		}
		host = "[" + ip.String() + "]"
	}
	canonical = scheme + "://" + host
	if port == "" {
		return canonical, true
	}
	number, _ := strconv.Atoi(port[1:])
	if number != defaultPorts[scheme] {
		canonical += ":" + strconv.Itoa(number)
	}
	return canonical, number >= 1 && number <= 65535
}

// certificates returns the PEM blocks of a value that must contain only certificates.
func certificates(value string) ([]byte, error) {
	blocks, err := pemBlocks(value)
	if err != nil {
		return nil, err
	}
	var out []byte
	for _, block := range blocks {
		if block.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("must hold certificates only, not a block %s", quote(block.Type))
		}
		out = append(out, pem.EncodeToMemory(block)...)
	}
	return out, nil
}

// privateKey returns the PEM block of a value that must contain one private key.
func privateKey(value string) ([]byte, error) {
	blocks, err := pemBlocks(value)
	if err != nil {
		return nil, err
	}
	// Older OpenSSL commands write the curve parameters before the key.
	blocks = slices.DeleteFunc(blocks, func(b *pem.Block) bool { return b.Type == "EC PARAMETERS" })
	if len(blocks) != 1 || !strings.HasSuffix(blocks[0].Type, "PRIVATE KEY") {
		return nil, errors.New("must hold one private key")
	}
	if blocks[0].Type == "ENCRYPTED PRIVATE KEY" || blocks[0].Headers["DEK-Info"] != "" {
		return nil, errors.New("must be a private key without a passphrase")
	}
	return pem.EncodeToMemory(blocks[0]), nil
}

// pemBlocks parses PEM, plain or in Base64, which is how many lines fit into the one that a
// command line or a form asks for. Text between the blocks, such as openssl's
// description of a certificate, is ignored.
func pemBlocks(value string) ([]*pem.Block, error) {
	text := []byte(value)
	if decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), "")); err == nil {
		text = decoded
	}
	var blocks []*pem.Block
	for {
		block, rest := pem.Decode(text)
		if block == nil {
			break
		}
		blocks, text = append(blocks, block), rest
	}
	if len(blocks) == 0 {
		return nil, errors.New("must be PEM, or Base64 of PEM")
	}
	return blocks, nil
}

// yesOrNo reads the answer to a question, as OpenNebula gives it, or people do.
func yesOrNo(value string) (bool, error) {
	switch strings.ToUpper(value) {
	case "YES":
		return true, nil
	case "NO":
		return false, nil
	}
	return false, errors.New("must be YES or NO")
}
