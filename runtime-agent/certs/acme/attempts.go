package acme

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/atomicfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/guardedfile"
)

// pauses come after the first failure, the second and so on; the last one repeats. They
// keep well below the five failed validations an hour that Let's Encrypt allows for one
// host name (letsencrypt.org/docs/rate-limits).
var pauses = []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour}

// maxSize bounds the stored failures, in bytes.
const maxSize = 1 << 20

// Attempts are the consecutive failures of one order. The zero value has none.
type Attempts struct {
	Order     Order     `json:"order"`
	Failed    int       `json:"failed"`
	LastError string    `json:"last_error"`
	NotBefore time.Time `json:"not_before"`
}

// LoadAttempts reads the failures of the order from a file. There are none if the file does
// not exist, is damaged or is about another order: at worst that is one attempt too many.
func LoadAttempts(path string, order Order) Attempts {
	var stored Attempts
	text, err := guardedfile.Read(path, maxSize)
	if err == nil {
		err = json.Unmarshal(text, &stored)
	}
	if err != nil || stored.Order != order {
		return Attempts{Order: order}
	}
	return stored
}

// Save writes the file.
func (a Attempts) Save(path string) error {
	text, err := json.MarshalIndent(a, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Sweep(path); err != nil {
		return err
	}
	return atomicfile.Write(path, append(text, '\n'), 0o600, nil)
}

// Forget removes the file after a success.
func Forget(path string) error {
	return errors.Join(atomicfile.Sweep(path), atomicfile.RemoveIfThere(path))
}

// Due reports whether the next attempt may be made. A time further ahead than the longest
// pause was written while the clock was wrong.
func (a Attempts) Due(now time.Time) bool {
	return !now.Before(a.NotBefore) || a.NotBefore.Sub(now) > pauses[len(pauses)-1]
}

// After adds a failure.
func (a Attempts) After(failure error, now time.Time) Attempts {
	pause := pauses[min(a.Failed, len(pauses)-1)]
	a.Failed++
	a.LastError, a.NotBefore = failure.Error(), now.Add(pause).UTC().Truncate(time.Second)
	return a
}

// Warning is for people; empty if nothing failed.
func (a Attempts) Warning() string {
	if a.Failed == 0 {
		return ""
	}
	return fmt.Sprintf("no new certificate for %s from %s after %d attempts, the next one not before %s: %s",
		a.Order.Domain, a.Order.Directory, a.Failed, a.NotBefore.Format(time.RFC3339), a.LastError)
}
