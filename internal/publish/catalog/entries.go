package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
)

// NewEntries returns the entries of app with its images, served at base, in the order of the
// images. The last entry is the one that people import.
//
// One image makes one entry. Two images, system disk and model disk, make three: OpenNebula
// imports only one image per app, so each has an app of its own, and a third app combines
// both into a virtual machine.
func NewEntries(app app.App, images []manifest.Manifest, base BaseURL) ([]Entry, error) {
	if err := checkImages(images); err != nil {
		return nil, err
	}
	system := images[0]
	machine, err := newMachine(app, system)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	if len(images) == 1 {
		entries = []Entry{withImage(machine, system, "OS", base)}
	} else {
		entries = []Entry{
			withImage(part(machine, "system"), system, "OS", base),
			withImage(part(machine, "model"), images[1], "DATABLOCK", base),
			withDisks(machine, images),
		}
		entries[2].Disks = []string{entries[0].Name, entries[1].Name}
	}
	for _, e := range entries {
		if err := appliance.CheckObjectName(e.Name); err != nil {
			return nil, fmt.Errorf("app.name and app.version: the name %q made of them %w", e.Name, err)
		}
	}
	return entries, nil
}

func checkImages(images []manifest.Manifest) error {
	switch {
	case len(images) != 1 && len(images) != 2:
		return fmt.Errorf("an app has one image or two (the system, the model), got %d", len(images))
	case images[0].OSArch == "":
		return fmt.Errorf("the first image of an app must hold its system, but %s holds data alone", images[0].Image)
	case len(images) == 2 && images[1].OSArch != "":
		return errors.New("the second image of an app must hold data alone, but " + images[1].Image + " holds a system")
	}
	return nil
}

// newMachine returns the part of an entry that does not depend on the app's images.
func newMachine(app app.App, system manifest.Manifest) (Entry, error) {
	template, err := marshal(app.VMTemplate(system.OSArch).Map(escapeQuotes))
	if err != nil {
		return Entry{}, fmt.Errorf("write the VM template: %w", err)
	}
	return Entry{
		Name:               app.Title(system.OSArch),
		App:                app.Name,
		Publisher:          app.Publisher,
		PublisherEmail:     app.PublisherEmail,
		Version:            app.Version,
		ShortDescription:   app.ShortDescription,
		Description:        app.Description,
		Tags:               app.Tags,
		CreationTime:       system.CreationTime,
		Hypervisor:         "KVM",
		OSID:               system.OSID,
		OSRelease:          system.OSRelease,
		OSArch:             system.OSArch,
		OpenNebulaVersion:  strings.Join(app.OpenNebulaVersions, ", "),
		OpenNebulaTemplate: string(template),
		Logo:               app.Logo,
	}, nil
}

// part returns the app for one disk of machine. It has no VM template, because the importer
// would create a machine with this disk alone.
func part(machine Entry, disk string) Entry {
	e := machine
	e.Name = machine.Name + " " + disk
	e.ShortDescription = "The " + disk + " disk of " + machine.Name + ", which imports it"
	e.OpenNebulaTemplate = ""
	return e
}

func withImage(e Entry, m manifest.Manifest, kind string, base BaseURL) Entry {
	e.ID = ObjectID{entryID(e, m)}
	e.Type, e.Format, e.CreationTime = typeImage, m.Format, m.CreationTime
	e.OSID, e.OSRelease = m.OSID, m.OSRelease
	e.Files = []File{{
		Type:        kind,
		URL:         base.String() + "/" + imagesDir + "/" + imageFile(e.Version, e.ID.OID, m.Format),
		Size:        m.Size,
		MD5:         m.MD5,
		SHA256:      m.SHA256,
		DevPrefix:   "vd",
		Driver:      m.Format,
		Compression: "none",
	}}
	return e
}

func withDisks(e Entry, images []manifest.Manifest) Entry {
	e.ID = ObjectID{entryID(e, images...)}
	e.Type = typeVMTemplate
	e.Files = []File{}
	return e
}

// entryID changes with everything that makes it another image, see the package comment.
func entryID(e Entry, images ...manifest.Manifest) string {
	parts := []string{e.App, e.Version, e.OSArch}
	for _, m := range images {
		parts = append(parts, m.SHA256)
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:12])
}

// imageFile is the name of the image in imagesDir, a different one for each entry.
func imageFile(version, id, format string) string {
	return fmt.Sprintf("%s-%s-%s.%s", appliance.Name, version, id[:12], format)
}
