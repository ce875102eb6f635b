package onedtest

import (
	"context"
	"net/http"
	"time"
)

// Fault is a failure of one call.
type Fault int

// The faults.
const (
	// CutBefore closes the connection before the call has an effect.
	CutBefore Fault = iota + 1
	// LoseAnswer closes it after the call has had its effect.
	LoseAnswer
	// BadGateway is the response of a proxy that cannot reach oned.
	BadGateway
	// Slow delays the response for longer than the effect takes.
	Slow
)

// FailCall makes a fault happen to call n; the first call is 0.
func (o *Oned) FailCall(n int, fault Fault) { o.set(func() { o.faults[n] = fault }) }

// DownFrom makes every call from number n on fail, as if oned were down or its client killed;
// a negative n ends that.
func (o *Oned) DownFrom(n int) { o.set(func() { o.downFrom = n }) }

// OnCall sets a function to call before each call; the first call is 0.
func (o *Oned) OnCall(f func(n int, method string)) { o.set(func() { o.onCall = f }) }

// FailImages makes copies of images end in ERROR with a text; with an empty text they succeed.
func (o *Oned) FailImages(text string) { o.set(func() { o.failCopy[kindImage] = text }) }

// FailApps is FailImages for apps.
func (o *Oned) FailApps(text string) { o.set(func() { o.failCopy[kindApp] = text }) }

// Hold prevents copies and deletions from ending while held is true, as a restart of oned
// would forever.
func (o *Oned) Hold(held bool) { o.set(func() { o.held = held }) }

// SetFree sets the free space of datastores and of marketplaces in MB.
func (o *Oned) SetFree(datastores, marketplaces int64) {
	o.set(func() {
		for _, datastore := range o.objects[kindDatastore] {
			datastore.FreeMB = datastores
		}
		for _, marketplace := range o.objects[kindMarketplace] {
			marketplace.FreeMB = marketplaces
		}
	})
}

// Revoke removes the user's right to create apps.
func (o *Oned) Revoke() { o.set(func() { o.authenticate(User + ":" + Password).makesApps = false }) }

const noQuota = -1

// SetQuota gives the user a quota of 40 MB that is used up.
func (o *Oned) SetQuota() { o.set(func() { o.quota, o.quotaUsed = 40, 40 }) }

// WithoutOneGate takes the ONEGATE_ENDPOINT out of the configuration.
func (o *Oned) WithoutOneGate() { o.set(func() { o.noOneGate = true }) }

// SetDirs sets from where the default datastore takes images and from where not.
func (o *Oned) SetDirs(safe, restricted string) {
	o.set(func() {
		datastore := o.find(kindDatastore, Datastore)
		datastore.Template = merge(datastore.Template, content("SAFE_DIRS", safe, "RESTRICTED_DIRS", restricted))
	})
}

// DisableMarketplace disables the private marketplace, which thereby loses its apps.
func (o *Oned) DisableMarketplace() {
	o.set(func() { o.enableMarketplace(o.find(kindMarketplace, Marketplace), false) })
}

// ConvertTo makes the datastore convert images to a format ("raw").
func (o *Oned) ConvertTo(format string) {
	o.set(func() {
		datastore := o.find(kindDatastore, Datastore)
		datastore.Template = merge(datastore.Template, content("DRIVER", format))
	})
}

// Edit changes an app without a call.
func (o *Oned) Edit(id int, edit func(*Object)) {
	o.set(func() { edit(o.find(kindApp, id)) })
}

// AddApp creates an app, as if published by another run of the same user.
func (o *Oned) AddApp(name string, state int) (id int) {
	o.set(func() {
		app := o.add(&Object{Kind: kindApp, Name: name, OwnerID: 2, GroupID: 1, Type: appImage, Place: Marketplace, Source: "http://elsewhere", Version: "0.0"})
		app.become(state)
		id = app.ID
	})
	return id
}

func (o *Oned) set(f func()) {
	o.mu.Lock()
	defer o.mu.Unlock()
	f()
}

// slowAnswer is long compared to the duration of a copy.
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
