package builder

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// cloudConfigMark is the first line that makes cloud-init read a file as cloud-config.
const cloudConfigMark = "#cloud-config\n"

// ownCloudConfig is the builder's cloud-config for the first boot: root logs in with the
// SSH key of the build, password logins are off, and no user is created that would have to
// be removed again. Packages, locale and host name stay those of the base image.
func ownCloudConfig(authorizedKey string) map[string]any {
	return map[string]any{
		"disable_root":      false,
		"ssh_pwauth":        false,
		"preserve_hostname": true,
		"package_update":    false,
		"locale":            false,
		"users": []map[string]any{{
			"name": "root", "lock_passwd": true, "ssh_authorized_keys": []string{authorizedKey},
		}},
	}
}

// checkCloudInit accepts an empty text. Its errors do not quote the text, which may contain
// a secret.
func checkCloudInit(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var document any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return fmt.Errorf("must be YAML such as yamlencode makes: %w", err)
	}
	settings, isMapping := document.(map[string]any)
	if !isMapping {
		return errors.New(`must be a mapping of cloud-config, such as yamlencode({ timezone = "UTC" })`)
	}
	var taken []string
	for _, own := range slices.Sorted(maps.Keys(ownCloudConfig(""))) {
		if _, found := settings[own]; found {
			taken = append(taken, own)
		}
	}
	if len(taken) > 0 {
		return fmt.Errorf("must leave these to the builder, which gets in by them: %s", strings.Join(taken, ", "))
	}
	return nil
}
