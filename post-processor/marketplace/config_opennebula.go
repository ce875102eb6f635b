package marketplace

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/post-processor/marketplace/cloud"
)

// OpenNebula is the block "opennebula": a cloud, and how to publish in it.
type OpenNebula struct {
	// Endpoint is the URL of the API, with the path /RPC2.
	Endpoint string `mapstructure:"endpoint"`
	// Username goes with one of Password and Token. Without them the credentials are in
	// AuthFile, which is what $ONE_AUTH names, or ~/.one/one_auth.
	Username string `mapstructure:"username"`
	Password string `mapstructure:"password"`
	Token    string `mapstructure:"token"`
	AuthFile string `mapstructure:"auth_file"`
	// CAFile holds the certificates by which the endpoint is trusted instead of those of
	// the system, TLSServerName the name expected in its certificate instead of its host.
	CAFile             string `mapstructure:"ca_file"`
	TLSServerName      string `mapstructure:"tls_server_name"`
	InsecureSkipVerify bool   `mapstructure:"insecure_skip_verify"`
	// Marketplace, Datastore and Group are names or numbers.
	Marketplace string `mapstructure:"marketplace"`
	Datastore   string `mapstructure:"datastore"`
	Group       string `mapstructure:"group"`
	Permissions string `mapstructure:"permissions"`
	// What is made besides the app.
	VMTemplate         bool `mapstructure:"vm_template"`
	VMTemplateApp      bool `mapstructure:"vm_template_app"`
	ServiceTemplateApp bool `mapstructure:"service_template_app"`
	// KeepVersions is how many versions stay; 0 keeps all.
	KeepVersions int `mapstructure:"keep_versions"`
	// ForceReplace replaces another build of the same version.
	ForceReplace bool `mapstructure:"force_replace"`
	// Timeout is for each copy that the cloud makes.
	Timeout string `mapstructure:"timeout"`
	// Transfer says how the image comes to the front-end.
	Transfer *Transfer `mapstructure:"transfer"`
}

const (
	defaultDatastore = "default"
	// defaultPermissions let everybody in the cloud see and import the app.
	defaultPermissions = "644"
	// defaultTimeout is enough for an image of 20 GB at 10 MB/s, several times.
	defaultTimeout = "2h"
)

func (o *OpenNebula) secrets() []string {
	secrets := []string{o.Password, o.Token}
	if o.Transfer != nil {
		secrets = append(secrets, o.Transfer.secrets()...)
	}
	return secrets
}

func (o *OpenNebula) rules() []rule {
	rules := []rule{
		{"opennebula.endpoint", []string{o.Endpoint}, opennebula.CheckEndpoint},
		{"opennebula.username", given(o.Username), checkUsername},
		{"opennebula.password", given(o.Password), anything},
		{"opennebula.token", given(o.Token), anything},
		{"opennebula.auth_file", given(o.AuthFile), anything},
		{"opennebula.ca_file", given(o.CAFile), anything},
		{"opennebula.tls_server_name", given(o.TLSServerName), anything},
		{"opennebula.marketplace", []string{o.Marketplace}, checkGiven},
		{"opennebula.datastore", given(o.Datastore), anything},
		{"opennebula.group", given(o.Group), anything},
		{"opennebula.permissions", given(o.Permissions), func(text string) error { return opennebula.Permissions(text).Check() }},
		{"opennebula.timeout", given(o.Timeout), checkDuration},
	}
	if o.Transfer != nil {
		rules = append(rules, o.Transfer.rules()...)
	}
	return rules
}

// anything is for fields that may hold any text, but must be known when the build runs.
func anything(string) error { return nil }

func checkGiven(text string) error {
	if strings.TrimSpace(text) == "" {
		return errors.New("must be set")
	}
	return nil
}

func checkUsername(text string) error {
	if strings.Contains(text, ":") {
		return errors.New("must not hold a colon")
	}
	return nil
}

func checkDuration(text string) error {
	duration, err := time.ParseDuration(text)
	if err != nil || duration <= 0 {
		return errors.New(`must be a duration such as "2h"`)
	}
	return nil
}

// checkRest is for what rules of single fields do not tell.
func (o *OpenNebula) checkRest() []error {
	var mistakes []error
	expect := func(ok bool, text string) {
		if !ok {
			mistakes = append(mistakes, errors.New(text))
		}
	}
	expect(o.Password == "" || o.Token == "", "opennebula.token: set it or opennebula.password, not both")
	secret := o.Password != "" || o.Token != ""
	expect(o.AuthFile == "" || o.Username == "" && !secret, "opennebula.auth_file: set it or opennebula.username, not both")
	expect((o.Username != "") == secret, "opennebula.username: goes with one of opennebula.password and opennebula.token")
	expect(!o.InsecureSkipVerify || o.CAFile == "" && o.TLSServerName == "",
		"opennebula.insecure_skip_verify: looks at no certificate, so opennebula.ca_file and opennebula.tls_server_name mean nothing beside it")
	expect(o.KeepVersions >= 0, fmt.Sprintf("opennebula.keep_versions: must be 0 for all or a number of versions, got %d", o.KeepVersions))
	if o.Transfer == nil {
		return append(mistakes, errors.New(`opennebula.transfer: must be given: the API carries no images; `+
			`one of the blocks ssh, s3, serve or the attributes url, path in it says how the front-end gets them`))
	}
	return append(mistakes, o.Transfer.checkRest()...)
}

// credentials are read when a build runs, not when a template is validated.
func (o *OpenNebula) credentials() (opennebula.Credentials, error) {
	if o.Username != "" {
		return opennebula.Credentials{User: o.Username, Secret: orDefault(o.Password, o.Token)}, nil
	}
	path := orDefault(o.AuthFile, os.Getenv("ONE_AUTH"))
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
	// checkDuration has parsed it before.
	timeout, _ := time.ParseDuration(orDefault(o.Timeout, defaultTimeout))
	return cloud.Target{
		Marketplace:        o.Marketplace,
		Datastore:          orDefault(o.Datastore, defaultDatastore),
		Group:              o.Group,
		Permissions:        opennebula.Permissions(orDefault(o.Permissions, defaultPermissions)),
		VMTemplate:         o.VMTemplate,
		VMTemplateApp:      o.VMTemplateApp,
		ServiceTemplateApp: o.ServiceTemplateApp,
		KeepVersions:       o.KeepVersions,
		ForceReplace:       o.ForceReplace,
		Timeout:            timeout,
	}
}
