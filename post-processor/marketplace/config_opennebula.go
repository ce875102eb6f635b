package marketplace

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/marketplace/cloud"
)

// OpenNebula is the block "opennebula": a cloud, and how to publish there.
type OpenNebula struct {
	// Endpoint is the URL of the XML-RPC API, including the path /RPC2.
	Endpoint string `mapstructure:"endpoint"`
	// Username is used with either Password or Token. Without them the credentials are read
	// from AuthFile, which defaults to $ONE_AUTH or ~/.one/one_auth.
	Username string `mapstructure:"username"`
	Password string `mapstructure:"password"`
	Token    string `mapstructure:"token"`
	AuthFile string `mapstructure:"auth_file"`
	// CAFile is a PEM file of CA certificates to trust instead of the system's.
	// TLSServerName is the name expected in the endpoint's certificate instead of its host.
	CAFile             string `mapstructure:"ca_file"`
	TLSServerName      string `mapstructure:"tls_server_name"`
	InsecureSkipVerify bool   `mapstructure:"insecure_skip_verify"`
	// Marketplace, Datastore and Group are names or ids.
	Marketplace string `mapstructure:"marketplace"`
	Datastore   string `mapstructure:"datastore"`
	Group       string `mapstructure:"group"`
	Permissions string `mapstructure:"permissions"`
	// What to create besides the app; see cloud.Target.
	VMTemplate         bool `mapstructure:"vm_template"`
	VMTemplateApp      bool `mapstructure:"vm_template_app"`
	ServiceTemplateApp bool `mapstructure:"service_template_app"`
	// KeepVersions is the number of versions to keep; 0 keeps all.
	KeepVersions int `mapstructure:"keep_versions"`
	// ForceReplace allows replacing another build of the same version.
	ForceReplace bool `mapstructure:"force_replace"`
	// Timeout limits each copy that the cloud makes; the default is "2h".
	Timeout string `mapstructure:"timeout"`
	// Transfer configures how the image gets to the front-end.
	Transfer *Transfer `mapstructure:"transfer"`
}

const (
	defaultDatastore = "default"
	// defaultPermissions allow everyone in the cloud to see and import the app.
	defaultPermissions = "644"
	// defaultTimeout is several times what an image of 20 GB takes at 10 MB/s.
	defaultTimeout = "2h"
)

func (o *OpenNebula) secrets() []string {
	secrets := []string{o.Password, o.Token}
	if o.Transfer != nil {
		secrets = append(secrets, o.Transfer.secrets()...)
	}
	return secrets
}

func (o *OpenNebula) check(fields *fieldcheck.Fields) {
	fields.Check("opennebula.endpoint", o.Endpoint, opennebula.CheckEndpoint)
	fields.CheckOptional("opennebula.username", o.Username, checkUsername)
	fields.Check("opennebula.marketplace", o.Marketplace, fieldcheck.Set)
	fields.CheckOptional("opennebula.permissions", o.Permissions, checkPermissions)
	fields.CheckOptional("opennebula.timeout", o.Timeout, fieldcheck.Duration)
	fields.Known(map[string]string{
		"opennebula.password": o.Password, "opennebula.token": o.Token, "opennebula.auth_file": o.AuthFile,
		"opennebula.ca_file": o.CAFile, "opennebula.tls_server_name": o.TLSServerName,
		"opennebula.datastore": o.Datastore, "opennebula.group": o.Group,
	})
	o.checkCredentials(fields)
	fields.Expect(!o.InsecureSkipVerify || o.CAFile == "" && o.TLSServerName == "", "opennebula.insecure_skip_verify",
		"looks at no certificate, so opennebula.ca_file and opennebula.tls_server_name mean nothing beside it")
	expectKeepVersions(fields, "opennebula.keep_versions", o.KeepVersions)
	fields.Expect(o.Transfer != nil, "opennebula.transfer", "must be given: the API carries no images; "+
		"one of the blocks ssh, s3, serve or the attributes url, path in it says how the front-end gets them")
	if o.Transfer != nil {
		o.Transfer.check(fields)
	}
}

func (o *OpenNebula) checkCredentials(fields *fieldcheck.Fields) {
	fields.Expect(o.Password == "" || o.Token == "", "opennebula.token", "set it or opennebula.password, not both")
	secret := o.Password != "" || o.Token != ""
	fields.Expect(o.AuthFile == "" || o.Username == "" && !secret, "opennebula.auth_file", "set it or opennebula.username, not both")
	fields.Expect((o.Username != "") == secret, "opennebula.username", "goes with one of opennebula.password and opennebula.token")
}

func checkUsername(text string) error {
	if strings.Contains(text, ":") {
		return errors.New("must not hold a colon")
	}
	return nil
}

func checkPermissions(text string) error { return opennebula.Permissions(text).Check() }

// credentials are read when a build runs, not when a template is validated.
func (o *OpenNebula) credentials() (opennebula.Credentials, error) {
	if o.Username != "" {
		return opennebula.Credentials{User: o.Username, Secret: cmp.Or(o.Password, o.Token)}, nil
	}
	path := cmp.Or(o.AuthFile, os.Getenv("ONE_AUTH"))
	if path == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return opennebula.Credentials{}, fmt.Errorf("opennebula.username is not set, and there is no home with an .one/one_auth: %w", err)
		}
		path = filepath.Join(home, ".one", "one_auth")
	}
	return opennebula.ReadAuthFile(path)
}

func (o *OpenNebula) client(say func(string)) (*opennebula.Client, error) {
	credentials, err := o.credentials()
	if err != nil {
		return nil, err
	}
	httpClient, err := opennebula.NewHTTP(opennebula.TLS{CAFile: o.CAFile, ServerName: o.TLSServerName, Insecure: o.InsecureSkipVerify})
	if err != nil {
		return nil, err
	}
	return opennebula.New(opennebula.Options{Endpoint: o.Endpoint, Credentials: credentials, HTTP: httpClient, Say: say})
}

func (o *OpenNebula) target() cloud.Target {
	// check has already parsed it.
	timeout, _ := time.ParseDuration(cmp.Or(o.Timeout, defaultTimeout))
	return cloud.Target{
		Marketplace:        o.Marketplace,
		Datastore:          cmp.Or(o.Datastore, defaultDatastore),
		Group:              o.Group,
		Permissions:        opennebula.Permissions(cmp.Or(o.Permissions, defaultPermissions)),
		VMTemplate:         o.VMTemplate,
		VMTemplateApp:      o.VMTemplateApp,
		ServiceTemplateApp: o.ServiceTemplateApp,
		KeepVersions:       o.KeepVersions,
		ForceReplace:       o.ForceReplace,
		Timeout:            timeout,
	}
}
