package marketplace

import (
	"cmp"
	"errors"
	"maps"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/fieldcheck"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer/s3"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer/serve"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer/sftp"
)

// Transfer is the block "transfer": exactly one method to get an image to the front-end.
type Transfer struct {
	SSH   *SSH   `mapstructure:"ssh"`
	S3    *S3    `mapstructure:"s3"`
	Serve *Serve `mapstructure:"serve"`
	// URL and Path are where the image is already available. If they end in a slash, the
	// name of the file is appended.
	URL  string `mapstructure:"url"`
	Path string `mapstructure:"path"`
}

// SSH is the block "ssh": a directory on the front-end, written by SFTP.
type SSH struct {
	Host string `mapstructure:"host"`
	// Port is 22 if it is nil.
	Port           *int   `mapstructure:"port"`
	Username       string `mapstructure:"username"`
	Password       string `mapstructure:"password"`
	PrivateKeyFile string `mapstructure:"private_key_file"`
	Agent          bool   `mapstructure:"agent"`
	KnownHostsFile string `mapstructure:"known_hosts_file"`
	Directory      string `mapstructure:"directory"`
}

// S3 is the block "s3": a bucket from which the front-end downloads with a presigned URL.
type S3 struct {
	Endpoint     string `mapstructure:"endpoint"`
	Region       string `mapstructure:"region"`
	Bucket       string `mapstructure:"bucket"`
	Prefix       string `mapstructure:"prefix"`
	AccessKey    string `mapstructure:"access_key"`
	SecretKey    string `mapstructure:"secret_key"`
	SessionToken string `mapstructure:"session_token"`
	CAFile       string `mapstructure:"ca_file"`
}

// Serve is the block "serve": a web server on this machine, until the front-end has the
// image.
type Serve struct {
	Listen          string `mapstructure:"listen"`
	Address         string `mapstructure:"address"`
	CertificateFile string `mapstructure:"certificate_file"`
	KeyFile         string `mapstructure:"key_file"`
}

func (t *Transfer) secrets() []string {
	var secrets []string
	if t.SSH != nil {
		secrets = append(secrets, t.SSH.Password)
	}
	if t.S3 != nil {
		secrets = append(secrets, t.S3.SecretKey, t.S3.SessionToken)
	}
	return secrets
}

// check skips a block that contains a value not known yet, because the values of a block
// are validated together. The run validates it again.
func (t *Transfer) check(fields *fieldcheck.Fields) {
	known := fields.Known(t.texts())
	const name = "opennebula.transfer"
	fields.ExactlyOne(name, "ssh, s3, serve, url and path", t.SSH != nil, t.S3 != nil, t.Serve != nil, t.URL != "", t.Path != "")
	if t.SSH != nil {
		fields.Number(name+".ssh.port", t.SSH.Port, 1)
	}
	if known && fields.Settled(name) {
		fields.Add(t.mistakes()...)
	}
}

// texts returns the values of all methods that are set, by field name.
func (t *Transfer) texts() map[string]string {
	texts := map[string]string{"opennebula.transfer.url": t.URL, "opennebula.transfer.path": t.Path}
	if t.SSH != nil {
		maps.Copy(texts, t.SSH.texts())
	}
	if t.S3 != nil {
		maps.Copy(texts, t.S3.texts())
	}
	if t.Serve != nil {
		maps.Copy(texts, t.Serve.texts())
	}
	return texts
}

func (s *SSH) texts() map[string]string {
	const block = "opennebula.transfer.ssh."
	return map[string]string{
		block + "host": s.Host, block + "username": s.Username, block + "password": s.Password,
		block + "private_key_file": s.PrivateKeyFile, block + "known_hosts_file": s.KnownHostsFile, block + "directory": s.Directory,
	}
}

func (s *S3) texts() map[string]string {
	const block = "opennebula.transfer.s3."
	return map[string]string{
		block + "endpoint": s.Endpoint, block + "region": s.Region, block + "bucket": s.Bucket, block + "prefix": s.Prefix,
		block + "access_key": s.AccessKey, block + "secret_key": s.SecretKey, block + "session_token": s.SessionToken, block + "ca_file": s.CAFile,
	}
}

func (s *Serve) texts() map[string]string {
	const block = "opennebula.transfer.serve."
	return map[string]string{
		block + "listen": s.Listen, block + "address": s.Address, block + "certificate_file": s.CertificateFile, block + "key_file": s.KeyFile,
	}
}

// mistakes returns the errors of the configured method, each prefixed with its field.
func (t *Transfer) mistakes() []error {
	var block string
	var mistakes []error
	switch {
	case t.SSH != nil:
		block, mistakes = "ssh.", t.SSH.options().Mistakes()
	case t.S3 != nil:
		block, mistakes = "s3.", t.S3.options().Mistakes()
	case t.Serve != nil:
		block, mistakes = "serve.", t.Serve.options().Mistakes()
	default:
		block, mistakes = t.hostedField()+": ", t.hosted().Mistakes()
	}
	for i, mistake := range mistakes {
		mistakes[i] = errors.New("opennebula.transfer." + block + mistake.Error())
	}
	return mistakes
}

func (t *Transfer) method() transfer.Method {
	switch {
	case t.SSH != nil:
		return sftp.New(t.SSH.options())
	case t.S3 != nil:
		return s3.New(t.S3.options())
	case t.Serve != nil:
		return serve.New(t.Serve.options())
	}
	return t.hosted()
}

func (t *Transfer) hosted() transfer.Hosted {
	return transfer.Hosted{Location: cmp.Or(t.URL, t.Path)}
}

func (t *Transfer) hostedField() string {
	if t.URL != "" {
		return "url"
	}
	return "path"
}

func (s *SSH) options() sftp.Options {
	return sftp.Options{
		Host: s.Host, Port: numberOrDefault(s.Port, 0), User: s.Username, Password: s.Password, PrivateKeyFile: s.PrivateKeyFile,
		UseAgent: s.Agent, KnownHostsFile: s.KnownHostsFile, Directory: s.Directory,
	}
}

func (s *S3) options() s3.Options {
	return s3.Options{
		Endpoint: s.Endpoint, Region: s.Region, Bucket: s.Bucket, Prefix: s.Prefix,
		AccessKey: s.AccessKey, SecretKey: s.SecretKey, SessionToken: s.SessionToken, CAFile: s.CAFile,
	}
}

func (s *Serve) options() serve.Options {
	return serve.Options{Listen: s.Listen, Address: s.Address, CertificateFile: s.CertificateFile, KeyFile: s.KeyFile}
}
