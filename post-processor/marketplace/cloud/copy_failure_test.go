package cloud

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/transfer"
)

const (
	wrongDigest = "A digest that does not match is among the causes"
	left        = "no object refers to it: ask an administrator to delete "
)

// The reasons are those of OpenNebula 7.0 and 7.4.
func TestAFailedCopyIsExplainedAsFarAsItCanBe(t *testing.T) {
	for name, test := range map[string]struct {
		reason         string
		digest, leaves string
	}{
		"a digest": {
			"Mon Nov 30 16:49:25 2026 : Error copying image in the datastore: Error copying /var/tmp/a.qcow2 to /var/lib/one//datastores/1/bc6a15b7b872f918c7b74c0e28d84b18",
			wrongDigest, "/var/lib/one//datastores/1/bc6a15b7b872f918c7b74c0e28d84b18",
		},
		"a connection": {
			"Mon Nov 30 16:49:25 2026 : Error copying image in the datastore: curl: (56) Recv failure: Connection reset by peerError copyingError copying http://x/a to /var/lib/one//datastores/1/bc6a15b7",
			"", "/var/lib/one//datastores/1/bc6a15b7",
		},
		"a marketplace": {
			"Mon Nov 30 16:49:33 2026 : Error importing app into marketplace: Error copyingError copying /var/lib/one//datastores/1/037b to /srv/market/6a11",
			"", "/srv/market/6a11",
		},
		"a directory": {
			"Mon Nov 30 16:46:05 2026 : Error copying image in the datastore: Not allowed to copy image from /srv/a.qcow2, check RESTRICTED_DIRS in your datastore", "", "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			err := explainCopy(&opennebula.FailedError{Object: "image 5 (x)", Reason: test.reason})
			require.ErrorContains(t, err, "the front-end could not copy image 5 (x): "+test.reason)
			assert.Equal(t, test.digest != "", strings.Contains(err.Error(), wrongDigest))
			if test.leaves == "" {
				assert.NotContains(t, err.Error(), left)
			} else {
				assert.ErrorContains(t, err, left+test.leaves)
			}
		})
	}
}

func TestADigestIsNoCauseOfAnInterruption(t *testing.T) {
	oned, f := double(t)
	oned.Hold(true)
	ctx, cancel := context.WithCancelCause(t.Context())
	reason := errors.New("Ctrl-C")
	oned.OnCall(func(_ int, method string) {
		if method == "one.image.info" {
			cancel(reason)
		}
	})
	_, _, err := f.run(ctx, t, newAppliance(t, "Copilot", "1.0.0"), target(), never, func(p *Publisher) { p.Settle = time.Millisecond })
	require.ErrorIs(t, err, reason)
	assert.NotContains(t, err.Error(), "digest")
}

func TestAnAddressThatTheFrontEndCannotReachIsNamed(t *testing.T) {
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	oned, f := double(t)
	_, said, err := f.run(t.Context(), t, newAppliance(t, "Copilot", "1.0.0"), target(), never, func(p *Publisher) {
		p.Transfer = transfer.Hosted{Location: strings.Replace(gone.URL, "//", "//user:hush@", 1) + "/a.qcow2?signature=hush"}
	})
	require.ErrorContains(t, err, "(Permission denied)")
	assert.ErrorContains(t, err, "The front-end could not download from "+strings.TrimPrefix(gone.URL, "http://"))
	assert.ErrorContains(t, err, "127.0.0.1 is resolved and dialled by the front-end's machine, not by this one")
	assert.NotContains(t, err.Error()+said, "hush")
	assert.Empty(t, oned.Images())
}
