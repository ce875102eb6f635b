package cloud

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/onedtest"
)

func decode(t *testing.T, text string) string {
	t.Helper()
	decoded, err := base64.StdEncoding.DecodeString(text)
	require.NoError(t, err)
	return string(decoded)
}

// assertPublished checks for exactly the objects that must exist after a success.
func assertPublished(t *testing.T, oned *onedtest.Oned, f front, a Appliance) {
	t.Helper()
	apps := oned.Apps()
	require.Len(t, apps, 1)
	assert.Equal(t, a.title(), apps[0].Name)
	assert.Equal(t, 1, apps[0].State)
	assert.Equal(t, a.system().Manifest.MD5, apps[0].MD5)
	assert.Empty(t, oned.Images(), "the staging image is gone")
	assert.Empty(t, oned.Templates(), "the lease is given up")
	assert.Empty(t, f.spooled(t), "the transferred file is gone")
}

func TestPublish(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	p, said, err := f.run(t.Context(), t, a, target(), never)
	require.NoError(t, err)
	assertPublished(t, oned, f, a)
	app := oned.Apps()[0]
	assert.Equal(t, app.ID, p.AppID())
	assert.Contains(t, said, fmt.Sprintf("Copilot 1.0.0 is published in the marketplace private as app %d", app.ID))
	assert.Equal(t, [9]int{1, 1, 0, 1, 0, 0, 1, 0, 0}, app.Permissions)
	for name, want := range map[string]string{
		"VERSION": "1.0.0", "DESCRIPTION": a.App.Description, "TYPE": "IMAGE", "ARCHITECTURE": "x86_64", "HYPERVISOR": "kvm",
		labelSHA256: a.system().Manifest.SHA256, labelBuild: "build-1.0.0", labelVersion: "1.0.0", labelFamily: "Copilot x86_64",
	} {
		assert.Equal(t, want, app.Get(name), name)
	}
	assert.Equal(t, a.App.VMTemplate("x86_64").Text(), decode(t, app.Get("VMTEMPLATE64")))
	assert.Contains(t, decode(t, app.Get("APPTEMPLATE64")), `MD5="`+app.MD5+`"`, "an import compares it")

	before := len(oned.Calls())
	p, said, err = f.run(t.Context(), t, a, target(), never)
	require.NoError(t, err)
	assert.Contains(t, said, "nothing was changed")
	assert.Equal(t, app.ID, p.AppID())
	for _, call := range oned.Calls()[before:] {
		assert.Regexp(t, `info$|version$`, call, "a run with nothing to do only reads")
	}
}

func TestACloudThatRefusesToInstantiateTheAppIsToldOfBeforehand(t *testing.T) {
	const warning = "Ask an administrator to set ONEGATE_ENDPOINT"
	oned, f := double(t)
	_, said, err := f.run(t.Context(), t, newAppliance(t, "Copilot", "1.0.0"), target(), never)
	require.NoError(t, err)
	assert.NotContains(t, said, warning)
	oned.WithoutOneGate()
	_, said, err = f.run(t.Context(), t, newAppliance(t, "Copilot", "1.1.0"), target(), never, func(p *Publisher) { p.DryRun = true })
	require.NoError(t, err)
	assert.Contains(t, said, warning)
}

func TestTextsAreBroughtUpToDate(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	_, _, err := f.run(t.Context(), t, a, target(), never)
	require.NoError(t, err)
	a.App.Publisher = "Somebody else"
	other := target()
	other.Permissions, other.Group = "640", "lab"
	_, said, err := f.run(t.Context(), t, a, other, never)
	require.NoError(t, err)
	assert.NotContains(t, said, "nothing was changed")
	assertPublished(t, oned, f, a)
	app := oned.Apps()[0]
	assert.Equal(t, "Somebody else", app.Get("PUBLISHER"))
	assert.Equal(t, a.App.Description, app.Get("DESCRIPTION"))
	assert.Equal(t, 7, app.GroupID)
	assert.Equal(t, [9]int{1, 1, 0, 1, 0, 0, 0, 0, 0}, app.Permissions)
}

func TestVersionsAccumulateAndOldOnesGo(t *testing.T) {
	oned, f := double(t)
	titles := func() []string {
		var names []string
		for _, app := range oned.Apps() {
			names = append(names, app.Name)
		}
		return names
	}
	foreign := oned.AddApp("Copilot 0.1", 1)
	keep := target()
	keep.KeepVersions = 2
	for _, version := range []string{"1.0.0", "1.1.0", "1.2.0"} {
		_, _, err := f.run(t.Context(), t, newAppliance(t, "Copilot", version), keep, never)
		require.NoError(t, err)
	}
	_, _, err := f.run(t.Context(), t, newAppliance(t, "Another", "1.0.0"), keep, never)
	require.NoError(t, err)
	assert.Equal(t, []string{"Copilot 0.1", "Copilot 1.1.0", "Copilot 1.2.0", "Another 1.0.0"}, titles())
	assert.Equal(t, foreign, oned.Apps()[0].ID, "what is not ours is left alone")
}

func TestAnOldVersionPublishedAgainPushesOutNoNewerOne(t *testing.T) {
	oned, f := double(t)
	keep := target()
	keep.KeepVersions = 1
	for _, version := range []string{"1.10.0", "1.9.0"} {
		_, _, err := f.run(t.Context(), t, newAppliance(t, "Copilot", version), keep, never)
		require.NoError(t, err)
	}
	var names []string
	for _, app := range oned.Apps() {
		names = append(names, app.Name)
	}
	assert.Equal(t, []string{"Copilot 1.10.0", "Copilot 1.9.0"}, names)
}

func TestAnotherBuildOfTheVersion(t *testing.T) {
	oned, f := double(t)
	first, second := newAppliance(t, "Copilot", "1.0.0"), newAppliance(t, "Copilot", "1.0.0")
	_, _, err := f.run(t.Context(), t, first, target(), never)
	require.NoError(t, err)

	_, _, err = f.run(t.Context(), t, second, target(), never)
	require.ErrorContains(t, err, "raise the version, or set force_replace")
	assert.ErrorContains(t, err, "build build-1.0.0, sha256 "+first.system().Manifest.SHA256)
	assertPublished(t, oned, f, first)

	force := target()
	force.ForceReplace = true
	_, _, err = f.run(t.Context(), t, second, force, never)
	require.NoError(t, err)
	assertPublished(t, oned, f, second)
}

func TestAVMTemplateKeepsItsImage(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	with := target()
	with.VMTemplate, with.ServiceTemplateApp = true, true
	for range 2 {
		_, _, err := f.run(t.Context(), t, a, with, never)
		require.NoError(t, err)
	}
	require.Len(t, oned.Images(), 1)
	image := oned.Images()[0]
	assert.Equal(t, [9]int{1, 1, 0, 1, 0, 0, 1, 0, 0}, image.Permissions, "others may use it")
	require.Len(t, oned.Templates(), 1)
	template := oned.Templates()[0]
	assert.Equal(t, "Copilot 1.0.0", template.Name)
	assert.Contains(t, template.Template, onedtest.Attribute{Name: "DISK", Vector: []onedtest.Attribute{{Name: "IMAGE_ID", Value: fmt.Sprint(image.ID)}}})
	require.Len(t, oned.Apps(), 3)
	assert.Empty(t, f.spooled(t))

	// All objects of a version are deleted together.
	keep := target()
	keep.KeepVersions = 1
	next := newAppliance(t, "Copilot", "2.0.0")
	_, _, err := f.run(t.Context(), t, next, keep, never)
	require.NoError(t, err)
	assertPublished(t, oned, f, next)
}

// withAll publishes an app with everything besides it, and the target that leaves that out.
func withAll(t *testing.T, f front, a Appliance) (without Target) {
	t.Helper()
	with := target()
	with.VMTemplate, with.ServiceTemplateApp = true, true
	_, _, err := f.run(t.Context(), t, a, with, never)
	require.NoError(t, err)
	return target()
}

func TestWhatIsSwitchedOffIsNotLeftStaleWithoutAWord(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	without := withAll(t, f, a)
	_, said, err := f.run(t.Context(), t, a, without, never)
	require.NoError(t, err)
	assert.Contains(t, said, "nothing was changed")
	template, apps := oned.Templates()[0].ID, oned.Apps()
	for _, want := range []string{
		fmt.Sprintf("Warning: app %d (Copilot 1.0.0 VM) was made by an earlier run, and is not kept up to date any more: set vm_template_app again, or delete it: onemarketapp delete %d", apps[1].ID, apps[1].ID),
		fmt.Sprintf("app %d (Copilot 1.0.0 service) was made by an earlier run, and is not kept up to date any more: set service_template_app again", apps[2].ID),
		fmt.Sprintf("VM template %d (Copilot 1.0.0) was made by an earlier run, and is not kept up to date any more: set vm_template again, or delete it: onetemplate delete %d", template, template),
	} {
		assert.Contains(t, said, want)
	}
	assert.Len(t, apps, 3, "somebody may use them")
	assert.Len(t, oned.Images(), 1)

	with := without
	with.VMTemplate, with.ServiceTemplateApp = true, true
	_, said, err = f.run(t.Context(), t, a, with, never)
	require.NoError(t, err)
	assert.NotContains(t, said, "Warning")
}

func TestWhatIsSwitchedOffGoesWithTheBuildThatIsReplaced(t *testing.T) {
	oned, f := double(t)
	without := withAll(t, f, newAppliance(t, "Copilot", "1.0.0"))
	without.ForceReplace = true
	second := newAppliance(t, "Copilot", "1.0.0")
	_, said, err := f.run(t.Context(), t, second, without, never)
	require.NoError(t, err)
	assertPublished(t, oned, f, second)
	assert.NotContains(t, said, "Warning")
}

func TestTwoDisks(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	a.Disks = append(a.Disks, newImage(t, "model", ""))
	p, _, err := f.run(t.Context(), t, a, target(), never)
	require.NoError(t, err)
	apps := oned.Apps()
	require.Len(t, apps, 3)
	assert.Equal(t, []string{"Copilot 1.0.0 system", "Copilot 1.0.0 model", "Copilot 1.0.0"}, []string{apps[0].Name, apps[1].Name, apps[2].Name})
	assert.Equal(t, apps[2].ID, p.AppID())
	assert.Equal(t, a.Disks[1].Manifest.MD5, apps[1].MD5)
	for i, app := range []string{"Copilot 1.0.0 system", "Copilot 1.0.0 model"} {
		name := []string{"SYSTEM", "MODEL"}[i]
		assert.Contains(t, apps[2].Template, onedtest.Attribute{Name: "DISK", Vector: []onedtest.Attribute{{Name: "NAME", Value: name}, {Name: "APP", Value: app}}})
	}
	assert.Empty(t, apps[0].Get("VMTEMPLATE64"), "one disk alone makes no machine")
	assert.Empty(t, oned.Images())
	assert.Empty(t, f.spooled(t))
}

// The front-end checks each image on its own, and would accept either of them.
func TestTwoDisksNeedRoomForBoth(t *testing.T) {
	oned, f := double(t)
	oned.SetFree(30, 1000)
	a := newAppliance(t, "Copilot", "1.0.0")
	a.Disks = append(a.Disks, newImage(t, "model", ""))
	_, _, err := f.run(t.Context(), t, a, target(), never)
	require.ErrorContains(t, err, `datastore "default" has 30 MB free, the disks have 40 MB`)
	assert.Empty(t, oned.Images())
	assert.Empty(t, oned.Templates())
	assert.Empty(t, f.spooled(t))
}

func TestADryRunTellsAndDoesNothing(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	_, said, err := f.run(t.Context(), t, a, target(), never, func(p *Publisher) { p.DryRun = true })
	require.NoError(t, err)
	assert.Contains(t, said, "- bring "+a.system().Path)
	assert.Contains(t, said, `- publish the app "Copilot 1.0.0" (IMAGE) in the marketplace "private"`)
	assert.Contains(t, said, "NAME=\"Copilot 1.0.0\"\n"+a.App.VMTemplate("x86_64").Text())
	assert.Empty(t, oned.Apps())
	assert.Empty(t, oned.Images())
	assert.Empty(t, oned.Templates())
	assert.Empty(t, f.spooled(t))
}

func TestRefusedBeforeAnythingIsSent(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *onedtest.Oned, f *front, target *Target)
		want   string
	}{
		"bad credentials":      {func(_ *onedtest.Oned, f *front, _ *Target) { f.credentials.Secret = "hush" }, "User, password or token is wrong"},
		"no right":             {func(o *onedtest.Oned, _ *front, _ *Target) { o.Revoke() }, "Ask an administrator for: oneacl create '#2 MARKETPLACEAPP/* CREATE'"},
		"quota":                {func(o *onedtest.Oned, _ *front, _ *Target) { o.SetQuota() }, "limit of 40 reached for SIZE quota"},
		"full datastore":       {func(o *onedtest.Oned, _ *front, _ *Target) { o.SetFree(10, 1000) }, "Not enough space in datastore"},
		"full marketplace":     {func(o *onedtest.Oned, _ *front, _ *Target) { o.SetFree(1000, -1) }, `marketplace "private" has -1 MB free`},
		"disabled":             {func(o *onedtest.Oned, _ *front, _ *Target) { o.DisableMarketplace() }, "is disabled; ask an administrator for: onemarket enable 100"},
		"read-only":            {func(_ *onedtest.Oned, _ *front, t *Target) { t.Marketplace = "public" }, `is of the kind "one", which takes no apps`},
		"no such marketplace":  {func(_ *onedtest.Oned, _ *front, t *Target) { t.Marketplace = "x" }, `there is no marketplace "x" that this user can see; these are: "bucket" (102) "public" (101) "private" (100)`},
		"no such datastore":    {func(_ *onedtest.Oned, _ *front, t *Target) { t.Datastore = "x" }, `there is no datastore "x"`},
		"a system datastore":   {func(_ *onedtest.Oned, _ *front, t *Target) { t.Datastore = "0" }, "is not for disk images"},
		"no such group":        {func(_ *onedtest.Oned, _ *front, t *Target) { t.Group = "x" }, `there is no group "x"`},
		"the name is taken":    {func(o *onedtest.Oned, _ *front, _ *Target) { o.AddApp("Copilot 1.0.0", 1) }, "was not published as this appliance: rename it"},
		"not a safe directory": {func(o *onedtest.Oned, _ *front, _ *Target) { o.SetDirs("/var/tmp /srv", "/") }, `takes no image from `},
		"the way there is bad": {func(_ *onedtest.Oned, f *front, _ *Target) { f.spool.fail = errors.New("no route to host") }, "no route to host"},
	} {
		t.Run(name, func(t *testing.T) {
			oned, f := double(t)
			wanted := target()
			test.change(oned, &f, &wanted)
			before := len(oned.Apps())
			_, said, err := f.run(t.Context(), t, newAppliance(t, "Copilot", "1.0.0"), wanted, never)
			require.ErrorContains(t, err, test.want)
			assert.NotContains(t, err.Error()+said, "hush")
			assert.Len(t, oned.Apps(), before)
			assert.Empty(t, oned.Images())
			assert.Empty(t, oned.Templates())
			assert.Empty(t, f.spooled(t))
		})
	}
}

func TestWhatTheCloudCannotCopy(t *testing.T) {
	for name, test := range map[string]struct {
		change func(o *onedtest.Oned, a *Appliance)
		want   string
	}{
		"the datastore's driver":   {func(o *onedtest.Oned, _ *Appliance) { o.FailImages("disk on fire") }, "disk on fire"},
		"the marketplace's driver": {func(o *onedtest.Oned, _ *Appliance) { o.FailApps("Error copying") }, "Error importing app into marketplace: Error copying"},
		"a digest that does not match": {func(_ *onedtest.Oned, a *Appliance) {
			a.Disks[0].Manifest.SHA1 = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
		}, wrongDigest},
	} {
		t.Run(name, func(t *testing.T) {
			oned, f := double(t)
			a := newAppliance(t, "Copilot", "1.0.0")
			broken := a
			broken.Disks = []manifest.Disk{a.Disks[0]}
			test.change(oned, &broken)
			_, _, err := f.run(t.Context(), t, broken, target(), never)
			require.ErrorContains(t, err, test.want)
			assert.Empty(t, oned.Apps())
			assert.Empty(t, oned.Images())
			assert.Empty(t, oned.Templates())
			assert.Len(t, f.spooled(t), 1, "the next run need not send it again")

			oned.FailImages("")
			oned.FailApps("")
			_, _, err = f.run(t.Context(), t, a, target(), never)
			require.NoError(t, err)
			assertPublished(t, oned, f, a)
		})
	}
}

func TestAConvertingDatastore(t *testing.T) {
	oned, f := double(t)
	oned.ConvertTo("raw")
	_, _, err := f.run(t.Context(), t, newAppliance(t, "Copilot", "1.0.0"), target(), never)
	require.NoError(t, err, "its bytes cannot be compared")
	require.Len(t, oned.Apps(), 1)
	assert.Contains(t, decode(t, oned.Apps()[0].Get("APPTEMPLATE64")), oned.Apps()[0].MD5)
}

func TestAnAppOfOtherBytesIsFound(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	p, _, err := f.run(t.Context(), t, a, target(), never)
	require.NoError(t, err)
	oned.Edit(p.AppID(), func(o *onedtest.Object) { o.MD5, o.State = "0", 4 })
	_, _, err = f.run(t.Context(), t, a, target(), never)
	assert.ErrorContains(t, err, "does not hold what was published: its MD5 is 0")
	assert.Len(t, oned.Apps(), 1, "an earlier run has made it; this one does not take it back")
}

func TestStuckObjectsAreReportedWithTheWayOut(t *testing.T) {
	oned, f := double(t)
	a := newAppliance(t, "Copilot", "1.0.0")
	oned.Hold(true)
	short := target()
	short.Timeout = 200 * time.Millisecond
	_, said, err := f.run(t.Context(), t, a, short, never, func(p *Publisher) { p.Settle = 10 * time.Millisecond })
	require.ErrorContains(t, err, "ask an administrator for: oneimage delete --force 0, then run again")
	assert.Contains(t, said, "Image 0 is being copied still and stays; the next run goes on with it, or ask an administrator for: oneimage delete --force 0")
	assert.Len(t, oned.Images(), 1)
	assert.Empty(t, oned.Templates())

	oned.Hold(false)
	_, _, err = f.run(t.Context(), t, a, target(), never)
	require.NoError(t, err)
	assertPublished(t, oned, f, a)
}
