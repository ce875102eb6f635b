package main

import (
	"crypto/x509"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/probe/clients"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/plan"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// operators makes a certificate signed by another CA.
func operators(t *testing.T, name string, at time.Time) (certificate, key string, root *x509.Certificate) {
	t.Helper()
	material, err := certs.Renew(certs.Material{}, certs.Request{Names: []string{name}, Now: at})
	require.NoError(t, err)
	first, rest := pem.Decode(material.Leaf)
	return string(pem.EncodeToMemory(first)), string(rest), parseBlock(t, string(material.RootCert))
}

func operatorContext(certificate, key string) map[string]string {
	return map[string]string{
		appliance.VarDomain: testDomain, appliance.VarCertificate: certificate, appliance.VarKey: key,
		appliance.VarACMEDirectory: "https://127.0.0.1:1/dir", // no request may go there
	}
}

func TestTheOperatorsCertificateIsServed(t *testing.T) {
	e := newEdge(t)
	e.configure(nil)
	e.serve()
	own := e.ownRoot()
	certificate, key, root := operators(t, testDomain, e.now)
	e.configure(operatorContext(certificate, key))
	assert.Equal(t, []string{"reload " + appliance.NginxUnit}, e.units.calls, "bootstrap need not run again")
	e.await(root, anything)
	present := e.status()
	assert.Equal(t, status.SourceOperator, present.Certificate.Source)
	assert.Equal(t, clients.Fingerprint(parseBlock(t, certificate)), present.Certificate.Fingerprint)
	assert.Equal(t, testDomain, present.Host)
	assert.Empty(t, present.Warnings)
	assert.Equal(t, e.read(appliance.CACert), e.read(appliance.WebRoot+appliance.PathCA), "the VM's own root is still offered")
	assertNoSecretIsReadable(t, e.vm, strings.Split(key, "\n")[2])

	before := e.snapshot()
	e.certificate()
	assert.Equal(t, before, e.snapshot())
	assert.Empty(t, e.units.calls)

	// It expires while the machine runs.
	e.now = e.now.AddDate(2, 0, 0)
	stderr := e.certificate()
	assert.Contains(t, stderr, "expired on")
	e.await(own, anything)
	present = e.status()
	assert.Equal(t, status.SourceOwn, present.Certificate.Source)
	assert.Contains(t, strings.Join(present.Warnings, "\n"), "expired on")
	assert.Empty(t, e.read(plan.OperatorFile), "an unused key is not stored twice")
}

func TestAnOperatorsCertificateThatCannotBeUsed(t *testing.T) {
	now := time.Now()
	certificate, key, _ := operators(t, testDomain, now)
	expired, expiredKey, _ := operators(t, testDomain, now.AddDate(-2, 0, 0))
	early, earlyKey, _ := operators(t, testDomain, now.AddDate(1, 0, 0))
	other, otherKey, _ := operators(t, "other.example.org", now)
	tests := map[string]struct {
		certificate, key, warning, mistake string
	}{
		"expired":         {expired, expiredKey, "expired on", ""},
		"not yet valid":   {early, earlyKey, "not valid before", ""},
		"another name":    {other, otherKey, "not for " + testDomain, ""},
		"another's key":   {certificate, otherKey, "", "not a valid pair"},
		"no certificate":  {"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key, "", "not a valid pair"},
		"key is rubbish":  {certificate, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "", "not a valid pair"},
		"a broken issuer": {certificate + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", key, "", "certificate 2 of the chain"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			e := newEdge(t)
			e.configure(map[string]string{appliance.VarDomain: testDomain})
			root := e.read(appliance.CACert)
			values := operatorContext(tt.certificate, tt.key)
			if tt.mistake != "" {
				values[appliance.VarThreads] = "many"
				code, stderr := e.run("configure", "--context", e.context(values))
				assert.Equal(t, 1, code)
				assert.Contains(t, stderr, appliance.VarCertificate)
				assert.Contains(t, stderr, tt.mistake)
				assert.Contains(t, stderr, appliance.VarThreads, "all mistakes at once")
				assert.Len(t, e.status().Mistakes, 2)
				return
			}
			e.configure(values)
			present := e.status()
			require.Len(t, present.Warnings, 1)
			assert.Contains(t, present.Warnings[0], tt.warning)
			assert.Equal(t, status.SourceOwn, present.Certificate.Source)
			assert.Equal(t, e.read(plan.LeafFile), e.read(appliance.ServerCert))
			assert.Equal(t, e.read(plan.LeafFile), e.read(appliance.ServerKey))
			assert.Equal(t, root, e.read(appliance.CACert))
		})
	}
}

func TestAClockThatIsNotSet(t *testing.T) {
	e := newEdge(t)
	now := e.now
	e.now = time.Unix(3, 0)
	certificate, key, _ := operators(t, testDomain, now)
	e.configure(operatorContext(certificate, key))
	assert.Equal(t, status.SourceOperator, e.status().Certificate.Source)
	assert.Contains(t, strings.Join(e.status().Warnings, "\n"), "the clock is not set")

	e.configure(map[string]string{appliance.VarDomain: testDomain, appliance.VarACMEDirectory: "https://127.0.0.1:1/dir"})
	assert.Contains(t, e.certificate(), "the clock is not set (it shows 1970-01-01T00:00:03Z)")
	root := e.ownRoot()
	assert.True(t, root.NotAfter.After(now), "setting the clock does not replace the root")

	e.now = now
	e.configure(map[string]string{appliance.VarDomain: testDomain, appliance.VarCertificate: certificate, appliance.VarKey: key})
	e.certificate()
	assert.Empty(t, e.status().Warnings)
	assert.Equal(t, root, e.ownRoot())
	leaf := parseBlock(t, e.read(plan.LeafFile))
	assert.True(t, leaf.NotAfter.After(now.AddDate(1, 0, 0)), "the leaf follows the clock")
}

func TestTheCertificateOfTheOwnCAIsRenewedWhileTheMachineRuns(t *testing.T) {
	e := newEdge(t)
	e.configure(map[string]string{appliance.VarDomain: testDomain, appliance.VarACMEDirectory: "https://127.0.0.1:1/dir"})
	e.serve()
	first, err := e.shown(e.ownRoot())
	require.NoError(t, err)
	present := e.status()
	present.Stage = appliance.BootstrapSuccess
	require.NoError(t, status.Store{Root: e.root, Now: time.Now}.Save(present))

	e.facts.Addresses = append(e.facts.Addresses, netip.MustParseAddr("192.0.2.99"))
	e.certificate()
	second := e.await(e.ownRoot(), otherThan(first))
	assert.NoError(t, second.VerifyHostname("192.0.2.99"), "a network card was added")
	assert.Equal(t, []string{"reload " + appliance.NginxUnit}, e.units.calls)

	e.now = second.NotAfter.Add(-29 * 24 * time.Hour)
	e.certificate()
	third := e.await(e.ownRoot(), otherThan(second))
	assert.True(t, third.NotAfter.After(second.NotAfter))
	assert.Equal(t, appliance.BootstrapSuccess, e.status().Stage, "it stays ready")
	assert.Equal(t, clients.Fingerprint(third), e.status().Certificate.Fingerprint)
}

// Its timer runs every ten minutes, while people work.
func TestRenewalChangesNothingButCertificates(t *testing.T) {
	for name, change := range map[string]func(*vm){
		"another number of processors":    func(v *vm) { v.facts.CPUs, v.facts.Threads = 8, 8 },
		"less memory":                     func(v *vm) { v.facts.Memory /= 2 },
		"too little memory for the model": func(v *vm) { v.facts.Memory = 1 << 20 },
		"IPv6":                            func(v *vm) { v.facts.IPv6 = true },
		"no model":                        func(v *vm) { require.NoError(v.t, os.Remove(filepath.Join(v.root, modelFile))) },
		"another image":                   func(v *vm) { v.put(appliance.BakedFile, `{"model_id": "another"}`) },
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			v.configure(nil)
			before := v.snapshot()
			change(v)
			v.facts.Addresses = append(v.facts.Addresses, netip.MustParseAddr("192.0.2.8"))
			code, _, stderr := v.run("certificate")
			require.Zero(t, code, stderr)
			assert.Equal(t, []string{"reload " + appliance.NginxUnit}, v.units.calls)
			for path, now := range v.snapshot() {
				if now == before[path] || slices.Contains([]string{plan.LeafFile, appliance.NginxNames, appliance.StatusJSON, appliance.MOTDFile, appliance.StatusFile, appliance.BakedFile}, path) {
					continue
				}
				t.Errorf("%s was changed", path)
			}
			leaf, err := certs.ParseLeaf([]byte(v.read(plan.LeafFile)))
			require.NoError(t, err)
			assert.NoError(t, leaf.VerifyHostname("192.0.2.8"), "what is due is renewed")
		})
	}
}

func TestARefusedContextStaysRefused(t *testing.T) {
	e := newEdge(t)
	e.configure(map[string]string{appliance.VarDomain: testDomain, appliance.VarCertificate: "", appliance.VarACMEDirectory: "https://127.0.0.1:1/dir"})
	code, _ := e.run("configure", "--context", e.context(map[string]string{appliance.VarThreads: "many"}))
	require.Equal(t, 1, code)
	e.facts.CPUs, e.facts.BootID = 7, "boot-2"
	e.certificate()
	assert.Equal(t, appliance.ConfigureFailure, e.status().Stage)
	assert.NotEmpty(t, e.status().Mistakes)
	assert.NotEmpty(t, e.units.calls, "the last good context is in force all the same")
}

func TestCertificateBeforeAnyContextDoesNothing(t *testing.T) {
	e := newEdge(t)
	assert.Contains(t, e.certificate(), "nothing to do")
	assert.NoFileExists(t, filepath.Join(e.root, appliance.StatusJSON))
	assert.NoFileExists(t, filepath.Join(e.root, plan.LeafFile))
}

// nginx may refuse to reload for a reason that is not ours; then the status must not claim
// success.
func TestTheServedCertificateIsStored(t *testing.T) {
	e := newEdge(t)
	e.configure(nil)
	e.serve()
	first := parseBlock(t, e.read(plan.LeafFile))
	e.put(appliance.ReportFile, "of before")
	stale := e.nginx
	e.nginx = nil // it is not reloaded after the next change
	certificate, key, _ := operators(t, testDomain, e.now)
	code, stderr := e.run("configure", "--context", e.context(operatorContext(certificate, key)))
	require.Zero(t, code, stderr)
	assert.Contains(t, stderr, "clients do not get the configured one")
	present := e.status()
	assert.Equal(t, status.SourceUnknown, present.Certificate.Source)
	assert.Equal(t, clients.Fingerprint(first), present.Certificate.Fingerprint)
	assert.Contains(t, e.read(appliance.ReportFile), "clients do not get the configured one")

	require.NoError(t, stale.Reload())
	e.certificate()
	assert.Equal(t, status.SourceOperator, e.status().Certificate.Source)
	assert.Empty(t, e.status().Warnings)
	assert.NotContains(t, e.read(appliance.ReportFile), "another one than configured")
}
