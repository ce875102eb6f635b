package builder

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
	"gopkg.in/yaml.v3"
)

// seedLabel is the volume label that cloud-init's NoCloud data source looks for.
const seedLabel = "CIDATA"

// key is the SSH key of one build. The private half never leaves this process.
type key struct {
	// private is PEM in OpenSSH's format; authorized is a line for authorized_keys.
	private    []byte
	authorized string
}

func newKey() (key, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return key{}, fmt.Errorf("make the SSH key of the build: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return key{}, fmt.Errorf("make the SSH key of the build: %w", err)
	}
	line, err := ssh.NewPublicKey(public)
	if err != nil {
		return key{}, fmt.Errorf("make the SSH key of the build: %w", err)
	}
	return key{
		private:    pem.EncodeToMemory(block),
		authorized: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(line))),
	}, nil
}

// seed returns the files of the NoCloud CD. The template's cloud_init becomes vendor data,
// which cloud-init lets user data override.
func seed(instance, authorizedKey, cloudInit string) (map[string]string, error) {
	own, err := yaml.Marshal(ownCloudConfig(authorizedKey))
	if err != nil {
		return nil, fmt.Errorf("make the cloud-config of the build: %w", err)
	}
	files := map[string]string{
		"meta-data": "instance-id: " + instance + "\n",
		"user-data": cloudConfigMark + string(own),
	}
	if strings.TrimSpace(cloudInit) != "" {
		files["vendor-data"] = cloudConfigMark + cloudInit
	}
	return files, nil
}
