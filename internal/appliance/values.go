package appliance

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"regexp"
	"slices"
	"strings"
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

// origin matches the Origin header of a browser: scheme, host and, if it is not the default,
// port.
var origin = regexp.MustCompile(`^https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(:[0-9]{1,5})?$`)

// origins returns the list of CORS origins, nil for all. It accepts commas as separators too,
// because people use them.
func origins(value string) ([]string, error) {
	list := strings.FieldsFunc(strings.ToLower(value), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
	if slices.Equal(list, []string{"*"}) {
		return nil, nil
	}
	for _, item := range list {
		if !origin.MatchString(item) {
			return nil, fmt.Errorf("must be an asterisk or origins such as https://ide.example.org separated by blanks; %q is neither", item)
		}
	}
	if len(list) == 0 {
		return nil, errors.New("must be an asterisk or origins such as https://ide.example.org separated by blanks")
	}
	slices.Sort(list)
	return slices.Compact(list), nil
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
			return nil, fmt.Errorf("must hold certificates only, not a block %q", block.Type)
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

// pemBlocks parses PEM, plain or in Base64: Sunstone encodes an input of type text64, while
// people who write a template by hand may not. Text between the blocks, such as openssl's
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
