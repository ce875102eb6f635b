// Package report writes what a user needs to connect: OpenNebula's usual report file of an
// appliance, with the settings of the common clients.
package report

import (
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// Report is the content of the file. It contains the password, so only root may read it.
type Report struct {
	Status   status.Status
	Password string
	// RootFingerprint is the SHA-256 of the root certificate that users have to trust.
	RootFingerprint string
	// Silent is why the appliance does not answer at this moment; empty if it does, or was not
	// asked.
	Silent string
}

// Endpoint is the base URL for clients.
func (r Report) Endpoint() string { return "https://" + r.host() + "/v1" }

// host is in brackets where a URL needs them.
func (r Report) host() string {
	if ip := net.ParseIP(r.Status.Host); ip != nil && ip.To4() == nil {
		return "[" + r.Status.Host + "]"
	}
	return r.Status.Host
}

// ownCA reports whether clients have to trust the VM's own CA.
func (r Report) ownCA() bool {
	c := r.Status.Certificate
	return c == nil || c.Source == "" || c.Source == status.SourceOwn
}

// Render returns the text: sections and "key = value", as in OpenNebula's own appliances,
// then a section for each client, to copy as it is.
func (r Report) Render() []byte {
	var out writer
	// A machine that was never configured has nothing to connect to.
	configured := r.Status.Host != ""
	if configured {
		r.connection(&out)
	}
	r.service(&out)
	if measured := r.Status.Speed; measured != nil {
		out.section("Speed")
		for _, part := range measured.Lines() {
			out.pair(strings.ReplaceAll(part[0], " ", "_"), part[1])
		}
	}
	if configured {
		for _, snippet := range r.appliance().Snippets() {
			out.section(snippet.Name)
			out.text.WriteString(snippet.Text)
		}
	}
	return []byte(out.text.String())
}

func (r Report) connection(out *writer) {
	out.section("Connection info")
	out.pair("endpoint", r.Endpoint())
	out.pair("username", appliance.APIUser)
	out.pair("password", r.Password)
	if keys := r.Status.Keys; len(keys) > 0 {
		out.pair("keys", strings.Join(keys, ", "))
	}
	out.pair("model", r.Status.Model)
	out.pair("context_size", fmt.Sprint(r.Status.ContextSize))
	out.pair("cache", r.Status.Cache())

	certificate := r.Status.Certificate
	if certificate == nil {
		return
	}
	out.section("Certificate")
	if r.ownCA() {
		out.pair("source", status.SourceOwn)
		out.pair("root", r.rootURL())
		out.pair("root_sha256", r.RootFingerprint)
	} else {
		out.pair("source", certificate.Source)
	}
	out.pair("subject", certificate.Subject)
	out.pair("issuer", certificate.Issuer)
	out.pair("not_after", certificate.NotAfter.UTC().Format(time.RFC3339))
	out.pair("sha256", certificate.Fingerprint)
}

// appliance is what the clients' settings depend on.
func (r Report) appliance() clients.Appliance {
	a := clients.Appliance{
		BaseURL: r.Endpoint(), Password: r.Password, Model: r.Status.Model, ContextSize: r.Status.ContextSize, Autocomplete: r.Status.Autocomplete,
	}
	if r.ownCA() {
		a.Root = &clients.Root{URL: r.rootURL(), Fingerprint: r.RootFingerprint}
	}
	return a
}

func (r Report) rootURL() string { return "http://" + r.host() + appliance.PathCA }

func (r Report) service(out *writer) {
	out.section("Service")
	out.pair("status", r.Status.Stage)
	for _, part := range r.Status.Image.Lines() {
		out.pair(part[0], part[1])
	}
	if r.Silent != "" {
		out.pair("now", "does not answer: "+r.Silent)
	}
	if r.Status.Threads > 0 {
		out.pair("threads", fmt.Sprint(r.Status.Threads))
	}
	for _, mistake := range r.Status.Mistakes {
		out.pair("refused", mistake)
	}
	for _, warning := range r.Status.Warnings {
		out.pair("warning", warning)
	}
	if failure := r.Status.Failure(); failure != "" {
		out.pair("last_error", failure)
	}
	out.pair("log", appliance.LogFile)
}

// writer keeps an empty line between two sections.
type writer struct{ text strings.Builder }

func (w *writer) section(name string) {
	if w.text.Len() > 0 {
		w.text.WriteByte('\n')
	}
	fmt.Fprintf(&w.text, "[%s]\n", name)
}

func (w *writer) pair(key, value string) {
	fmt.Fprintf(&w.text, "%s = %s\n", key, status.Line(value))
}
