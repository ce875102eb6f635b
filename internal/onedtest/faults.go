package onedtest

import (
	"context"
	"net/http"
	"time"
)

// Fault is what may happen to one call.
type Fault int

// The faults.
const (
	// CutBefore ends the connection before the call has an effect.
	CutBefore Fault = iota + 1
	// LoseAnswer ends it after the call has had its effect.
	LoseAnswer
	// BadGateway is what a proxy answers whose oned is away.
	BadGateway
	// Slow answers after a while, which is longer than the effect takes.
	Slow
)

// FailCall makes a fault happen to the n-th call from the start, which is 0.
func (o *Oned) FailCall(n int, fault Fault) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.faults[n] = fault
}

// DownFrom makes every call from the n-th on fail, as if oned were away or its client
// killed; a negative n brings it back.
func (o *Oned) DownFrom(n int) { o.set(func() { o.downFrom = n }) }

// OnCall has f called before each call; n counts from the start.
func (o *Oned) OnCall(f func(n int, method string)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.onCall = f
}

// FailImages and FailApps let the copies of images or apps end in ERROR with a text; an
// empty one lets them succeed.
func (o *Oned) FailImages(text string) { o.set(func() { o.failCopy[kindImage] = text }) }

// FailApps is FailImages for apps.
func (o *Oned) FailApps(text string) { o.set(func() { o.failCopy[kindApp] = text }) }

// Hold keeps copies and deletions from ending while held is true, as a restart of oned
// would for ever.
func (o *Oned) Hold(held bool) { o.set(func() { o.held = held }) }

// SetFree sets the free space of the datastore and of the marketplace in MB.
func (o *Oned) SetFree(datastore, marketplace int64) {
	o.set(func() { o.freeMB, o.marketMB = datastore, marketplace })
}

// Revoke takes the right to make apps from the user.
func (o *Oned) Revoke() { o.set(func() { o.revoked = true }) }

// SetQuota makes every image exceed a quota.
func (o *Oned) SetQuota() {
	o.set(func() {
		o.quota = "[one.image.allocate] User [2] : user [2] limit of 40 reached for SIZE quota in DATASTORE with ID: 1."
	})
}

// DisableMarketplace disables the private marketplace.
func (o *Oned) DisableMarketplace() { o.set(func() { o.marketOff = true }) }

// ConvertTo makes the datastore convert images to a format ("raw").
func (o *Oned) ConvertTo(format string) { o.set(func() { o.driver = format }) }

// Edit changes an app behind everybody's back.
func (o *Oned) Edit(id int, edit func(*Object)) {
	o.set(func() { edit(o.find(kindApp, id)) })
}

func (o *Oned) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

// AddApp makes an app that somebody else has published as the same user.
func (o *Oned) AddApp(name string, state int) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.add(&Object{Kind: kindApp, Name: name, State: state, Type: 1, Place: Marketplace, Source: "http://elsewhere"}).ID
}

// slowAnswer is long beside the time a copy takes.
const slowAnswer = 50 * time.Millisecond

func cut(w http.ResponseWriter) {
	if conn, _, err := w.(http.Hijacker).Hijack(); err == nil {
		conn.Close()
	}
}

func pause(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-time.After(slowAnswer):
	}
}
