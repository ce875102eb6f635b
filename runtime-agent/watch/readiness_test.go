package watch

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/logfile"
)

type restarts []string

func (r *restarts) TryRestart(_ context.Context, unit string) error {
	*r = append(*r, unit)
	return nil
}

// Each letter is one look: a answers, s is silent, b while bootstrap is at work, e the status
// cannot be read.
func TestReadinessThatIsLostHasBootstrapSayIt(t *testing.T) {
	for looks, want := range map[string]int{
		"aaaa":     0,
		"as":       0,
		"asasas":   0, // short repairs
		"ass":      1,
		"assbbbba": 1, // and comes back
		"assbbass": 2,
		"sbsbsb":   0,
		"bbbb":     0,
		"seses":    0,
		"ssss":     2, // bootstrap was not restarted, so it is tried again
	} {
		t.Run(looks, func(t *testing.T) {
			var units restarts
			var look rune
			r := Readiness{
				Ready: func() (bool, error) {
					if look == 'e' {
						return false, errors.New("cannot be read")
					}
					return look != 'b', nil
				},
				Answers: func(context.Context) error {
					if look == 's' {
						return errors.New("connection refused")
					}
					return nil
				},
				Units: &units,
				Log:   logfile.Open(filepath.Join(t.TempDir(), "log"), io.Discard, time.Now),
			}
			for _, look = range looks {
				r.look(t.Context())
			}
			assert.Len(t, units, want)
			for _, unit := range units {
				assert.Equal(t, appliance.BootstrapUnit, unit)
			}
		})
	}
}
