package cloud

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// As OpenNebula 7.4.0 was seen to decide.
func TestWhatADatastoreTakesImagesFrom(t *testing.T) {
	for name, test := range map[string]struct {
		driver, safe, restricted, path string
		refused                        bool
	}{
		"the default":                 {"fs", "/var/tmp", "/", "/var/tmp/x", false},
		"outside the default":         {"fs", "/var/tmp", "/", "/srv/x", true},
		"a prefix":                    {"fs", "/var/tmp", "/", "/var/tmpevil/x", false},
		"safe within restricted":      {"ceph", "/srv /home/ci", "/home", "/home/ci/x", false},
		"restricted":                  {"ceph", "/srv /home/ci", "/home", "/home/me/x", true},
		"neither":                     {"fs", "/srv", "/home", "/data/x", false},
		"none are set":                {"fs", "", "", "/data/x", false},
		"the front-end's own":         {"fs", "", "", "/var/lib/one/x", true},
		"the front-end's own is safe": {"fs", "/var/lib/one/staging", "", "/var/lib/one/staging/x", false},
		"an expression":               {"fs", "/srv/[ab]/", "/", "/srv/b/x", false},
		"no expression":               {"fs", "/srv/(", "/", "/srv/(/x", false},
		"a driver that does not look": {"lvm", "/var/tmp", "/", "/srv/x", false},
	} {
		t.Run(name, func(t *testing.T) {
			d := opennebula.Datastore{ID: 1, Name: "default", Template: opennebula.Template{
				{Name: "DS_MAD", Value: test.driver}, {Name: "SAFE_DIRS", Value: test.safe}, {Name: "RESTRICTED_DIRS", Value: test.restricted},
			}}
			err := checkSource(d, test.path)
			if !test.refused {
				assert.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, `datastore "default" takes no image from `+test.path)
			assert.ErrorContains(t, err, "onedatastore update 1")
		})
	}
}
