// Package report writes what a user needs to connect: the file OpenNebula's users are told
// to read.
package report

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// Report is what stands in the file. It holds the password, so it is for root alone.
type Report struct {
	Status   status.Status
	Password string
	// RootFingerprint is the SHA-256 of the certificate a user is to trust.
	RootFingerprint string
}

// Endpoint is the base URL clients are given.
func (r Report) Endpoint() string { return "https://" + r.host() + "/v1" }

// host is in brackets where a URL needs them.
func (r Report) host() string {
	if ip := net.ParseIP(r.Status.Host); ip != nil && ip.To4() == nil {
		return "[" + r.Status.Host + "]"
	}
	return r.Status.Host
}

// Render gives the text: sections and "key = value", as in OpenNebula's own appliances.
func (r Report) Render() []byte {
	var out strings.Builder
	section := func(name string) { fmt.Fprintf(&out, "[%s]\n", name) }
	pair := func(key, value string) { fmt.Fprintf(&out, "%s = %s\n", key, value) }

	section("Connection info")
	pair("endpoint", r.Endpoint())
	pair("username", appliance.APIUser)
	pair("password", r.Password)
	pair("model", r.Status.Model)
	pair("context_size", fmt.Sprint(r.Status.ContextSize))

	if certificate := r.Status.Certificate; certificate != nil {
		out.WriteByte('\n')
		section("Certificate")
		pair("root", "http://"+r.host()+appliance.PathCA)
		pair("root_sha256", r.RootFingerprint)
		pair("issuer", certificate.Issuer)
		pair("not_after", certificate.NotAfter.UTC().Format(time.RFC3339))
	}

	out.WriteByte('\n')
	section("Service")
	pair("status", r.Status.Stage)
	if r.Status.LastError != "" {
		pair("last_error", strings.ReplaceAll(r.Status.LastError, "\n", "; "))
	}
	pair("log", appliance.LogFile)

	out.WriteByte('\n')
	section("Try it")
	fmt.Fprintf(&out, `curl -o slm-copilot-ca.pem http://%[1]s%[2]s
PASSWORD=%[5]s
curl --cacert slm-copilot-ca.pem -H "Authorization: Bearer $PASSWORD" -H "Content-Type: application/json" -d '{"model": "%[3]s", "messages": [{"role": "user", "content": "Hello"}]}' %[4]s/chat/completions
`, r.host(), appliance.PathCA, r.Status.Model, r.Endpoint(), shellQuote(r.Password))
	return []byte(out.String())
}

func shellQuote(text string) string {
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
