package acme

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	now   = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	order = Order{Domain: domain, Directory: "https://ca.example.org/dir"}
)

func TestAttemptsBackOff(t *testing.T) {
	attempts, at := Attempts{Order: order}, now
	assert.True(t, attempts.Due(at))
	assert.Empty(t, attempts.Warning())
	for _, pause := range []time.Duration{10 * time.Minute, time.Hour, 6 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
		attempts = attempts.After(errors.New("refused"), at)
		assert.Equal(t, at.Add(pause), attempts.NotBefore)
		assert.False(t, attempts.Due(at.Add(pause-time.Second)))
		at = at.Add(pause)
		assert.True(t, attempts.Due(at))
	}
	assert.Equal(t, "no new certificate for copilot.example.org from https://ca.example.org/dir after 5 attempts, the next one not before 2026-11-24T19:10:00Z: refused", attempts.Warning())
}

// Let's Encrypt allows five failed validations an hour. The worst hour is the first.
func TestNoHourHasTooManyAttempts(t *testing.T) {
	attempts, at := Attempts{}, now
	count := 0
	for ; at.Before(now.Add(time.Hour)); at = at.Add(time.Minute) {
		if attempts.Due(at) {
			attempts = attempts.After(errors.New("refused"), at)
			count++
		}
	}
	assert.Equal(t, 2, count)
}

func TestAClockThatWasWrongDoesNotStopTheAttempts(t *testing.T) {
	ahead := Attempts{}.After(errors.New("x"), now.AddDate(10, 0, 0))
	assert.True(t, ahead.Due(now))
	behind := Attempts{}.After(errors.New("x"), time.Unix(0, 0))
	assert.True(t, behind.Due(now))
}

func TestAttemptsAreKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "acme.json")
	assert.Equal(t, Attempts{Order: order}, LoadAttempts(path, order))
	failed := Attempts{Order: order}.After(errors.New("refused"), now)
	require.NoError(t, failed.Save(path))
	assert.Equal(t, failed, LoadAttempts(path, order))
	for name, change := range map[string]func(*Order){
		"domain":    func(o *Order) { o.Domain = "other.example.org" },
		"directory": func(o *Order) { o.Directory = "https://other.example.org/dir" },
		"e-mail":    func(o *Order) { o.Email = "ops@example.org" },
		"CA":        func(o *Order) { o.CADigest = "another" },
	} {
		changed := order
		change(&changed)
		assert.Equal(t, Attempts{Order: changed}, LoadAttempts(path, changed), name)
	}
	require.NoError(t, Forget(path))
	require.NoError(t, Forget(path))
	assert.NoFileExists(t, path)
	require.NoError(t, os.WriteFile(path, []byte("{"), 0o600))
	assert.Equal(t, Attempts{Order: order}, LoadAttempts(path, order))
}

func TestRenewalDue(t *testing.T) {
	const day = 24 * time.Hour
	for name, tt := range map[string]struct {
		life, left time.Duration
		due        bool
	}{
		"90 days, 31 left": {90 * day, 31 * day, false},
		"90 days, 29 left": {90 * day, 29 * day, true},
		"a year, 31 left":  {365 * day, 31 * day, false},
		"a day, 9 h left":  {day, 9 * time.Hour, false},
		"a day, 7 h left":  {day, 7 * time.Hour, true},
		"expired":          {90 * day, -day, true},
	} {
		leaf := &x509.Certificate{NotBefore: now.Add(tt.left - tt.life), NotAfter: now.Add(tt.left)}
		assert.Equal(t, tt.due, RenewalDue(leaf, now), name)
	}
}
