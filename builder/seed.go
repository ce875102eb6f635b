package builder

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"strings"

	"golang.org/x/crypto/ssh"
)

// seedLabel is the volume label by which cloud-init finds a NoCloud seed.
const seedLabel = "CIDATA"

// key is made for one build. The private half stays in the memory of this process.
type key struct {
	// private is in OpenSSH's PEM form, authorized a line for authorized_keys.
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

// seed is the content of the NoCloud CD: root logs in with the key, nobody with a
// password, and no user is made who would have to be removed again. Packages,
// locale and host name stay those of the base image.
func seed(instance, authorizedKey string) map[string]string {
	return map[string]string{
		"meta-data": "instance-id: " + instance + "\n",
		"user-data": `#cloud-config
disable_root: false
ssh_pwauth: false
preserve_hostname: true
package_update: false
locale: false
users:
  - name: root
    lock_passwd: true
    ssh_authorized_keys:
      - ` + authorizedKey + "\n",
	}
}
