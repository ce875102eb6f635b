// Package nginx renders the site through which clients reach the gateway, and has nginx
// test the result before it is used.
package nginx

import (
	"bytes"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// Site is what differs between two virtual machines, and between one of them and a test.
type Site struct {
	// HTTPListen and HTTPSListen are arguments of "listen", such as "[::]:443".
	HTTPListen  []string
	HTTPSListen []string
	// Certificate, Key and WebRoot are paths.
	Certificate string
	Key         string
	WebRoot     string
	// Upstream is where the gateway listens, as an argument of "server": "unix:" and a path, or
	// host and port.
	Upstream string
	// ReloadingFile is the path of a file that exists while the engine cannot answer. The
	// user of nginx's workers must be able to see it.
	ReloadingFile string
	// Password is what clients send, or one of the named Keys.
	Password string
	Keys     []appliance.NamedKey
	// Hosts are the names and addresses that the machine goes by, addresses of IPv6 in brackets:
	// requests by http are redirected to no other. None means that they are not known.
	Hosts []string
	// PublicCertificate is true if clients need not be told to trust it.
	PublicCertificate bool
	// NamesFile and KeysFile are the paths of what RenderNames and RenderKeys return; empty has it in the
	// site itself.
	NamesFile, KeysFile string
	// CORSOrigins and RateLimit are those of appliance.Settings.
	CORSOrigins []string
	RateLimit   int
}

// Listen returns the arguments of "listen" for a port. nginx does not start if it has to
// listen on IPv6 and the kernel has none.
func Listen(port int, ipv6 bool) []string {
	listen := []string{fmt.Sprint(port)}
	if ipv6 {
		listen = append(listen, fmt.Sprintf("[::]:%d", port))
	}
	return listen
}

// Secrets matches the secrets in the text of a site.
var Secrets = regexp.MustCompile(`(\\x[0-9a-f]{2})+`)

// inUse matches the line of a site that contains the password.
var inUse = regexp.MustCompile(`\(\?i:bearer\) \+((\\x[0-9a-f]{2})+)\$" ` + appliance.APIUser + ";")

// PasswordInUse returns the password that a rendered site contains, "" if it has none.
func PasswordInUse(site []byte) string {
	found := inUse.FindSubmatch(site)
	if found == nil {
		return ""
	}
	text, _ := hex.DecodeString(strings.ReplaceAll(string(found[1]), `\x`, ""))
	return string(text)
}

// guarded are paths that require the password, and a regular expression for their methods. Those
// that generate text need the engine's backend, the others do not.
type guarded struct {
	// Where is the argument of "location".
	Where, Methods string
	Generates      bool
}

// A path is answered with and without /v1, and with a slash at its end: the gateway knows what is
// meant, whatever base URL its client was given.
const (
	generating = `~ "^(/v1)*/(chat/completions|completions|responses|messages|messages/count_tokens)/?$"`
	models     = `~ "^(/v1)*/models(/[^/]+)?/?$"`
	embeddings = `~ "^(/v1)*/embeddings/?$"`
)

// api are the paths of the gateway.
var api = []guarded{
	{generating, "POST", true},
	{models, "GET|HEAD", false},
}

// Pattern is Where for an entry of a map.
func (g guarded) Pattern() string { return strings.Replace(g.Where, `~ "`, `"~`, 1) }

// Allow lists the methods as a header does.
func (g guarded) Allow() string { return strings.ReplaceAll(g.Methods, "|", ", ") + ", OPTIONS" }

// reading are the other paths that are read with GET or HEAD.
var reading = []string{appliance.PathMetrics, appliance.PathHealth, appliance.PathReadyz, appliance.PathCA}

// maxConnections is how many requests of one client, or of all clients behind one NAT, are
// answered at a time. Agents with sub-agents have about five each.
const maxConnections = 128

//go:embed *.conf.tmpl
var templateFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{"regex": regex, "origin": origin}).ParseFS(templateFiles, "*.conf.tmpl"))

// credential is a key with its name, as clients send both.
type credential struct{ appliance.NamedKey }

// Basic is what follows the scheme of HTTP Basic.
func (c credential) Basic() string {
	return base64.StdEncoding.EncodeToString([]byte(c.Name + ":" + c.Key))
}

func (s Site) credentials() []credential {
	var all []credential
	for _, key := range s.Keys {
		all = append(all, credential{key})
	}
	return all
}

// Render returns the site file. It contains the password.
func (s Site) Render() []byte {
	return render("site.conf.tmpl", map[string]any{
		"Site": s, "Keys": s.credentials(), "Password": credential{appliance.NamedKey{Name: appliance.APIUser, Key: s.Password}},
		"Burst":        s.RateLimit - 1,
		"RetryLimited": s.retryLimited(), "RetryUnavailable": retryUnavailable,
		"Guarded":    append(slices.Clone(api), guarded{"= " + appliance.PathMetrics, "GET|HEAD", false}),
		"Embeddings": embeddings, "NoEmbeddings": noEmbeddings, "HeaderClient": appliance.HeaderClient, "HeaderKey": appliance.HeaderKey,
		"Open":   []string{appliance.PathHealth, appliance.PathReadyz},
		"Errors": failures,
	})
}

// RenderNames returns the part of the site that depends on certificates and addresses, which
// change while the machine runs.
func (s Site) RenderNames() []byte {
	return render("names.conf.tmpl", map[string]any{"Site": s})
}

// RenderKeys returns the part of the site that has the named keys.
func (s Site) RenderKeys() []byte {
	return render("keys.conf.tmpl", map[string]any{"Keys": s.credentials()})
}

// retryLimited is the time in seconds after which one more request is allowed.
func (s Site) retryLimited() int {
	if s.RateLimit == 0 {
		return retryUnauthorized
	}
	secondsPerRequest := (60 + s.RateLimit - 1) / s.RateLimit
	return max(secondsPerRequest, retryUnauthorized)
}

func render(name string, view map[string]any) []byte {
	maps.Copy(view, map[string]any{
		"Title": appliance.Title, "BodyLimit": appliance.BodyLimit,
		"Plain": plain.Body(), "Reading": reading, "Connections": maxConnections,
		"PathCA": appliance.PathCA, "PathReadyz": appliance.PathReadyz,
		"API": api,
	})
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, name, view); err != nil {
		panic(err) // a mistake in the template: it has no input that could cause one
	}
	return out.Bytes()
}

// origin returns the entry of a map that allows a CORS origin, or every origin of the scheme of an
// application if it has no host.
func origin(listed string) string {
	if strings.HasSuffix(listed, "://") {
		return fmt.Sprintf(`"~^%s[A-Za-z0-9._-]*$" $http_origin`, regex(listed))
	}
	return fmt.Sprintf(`"~^%s$" "%s"`, regex(listed), listed)
}

// regex escapes text so that a regular expression matches exactly its bytes, and so that
// nothing in it is quoting or a variable to nginx.
func regex(text string) string {
	var out strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&out, `\x%02x`, text[i])
	}
	return out.String()
}
