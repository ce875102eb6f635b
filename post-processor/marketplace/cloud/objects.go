package cloud

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// wantedApp is one app as it should be.
type wantedApp struct {
	part string
	name string
	kind opennebula.AppType
	// disk is the number of the disk that an app of type IMAGE holds.
	disk int
	// content is all but the name, the origin and the label of the run.
	content opennebula.Template
}

// apps are those of the appliance, each after those it names. The one that people import
// has the title as its name.
func (a Appliance) apps(t Target) ([]wantedApp, error) {
	template := a.App.VMTemplate(a.arch())
	if err := template.Check(); err != nil {
		return nil, fmt.Errorf("the VM template of the app: %w", err)
	}
	text := template.Text()
	names := map[string]string{partSystem: a.title(), partVM: a.title() + " VM", partService: a.title() + " service"}
	if a.split() {
		names[partSystem], names[partModel], names[partVM] = a.title()+" system", a.title()+" model", a.title()
	}
	var apps []wantedApp
	var disks opennebula.Template
	for i := range a.Disks {
		part := a.part(i)
		image := wantedApp{part: part, name: names[part], kind: opennebula.AppImage, disk: i, content: a.appContent(part, opennebula.AppImage, a.Disks[i])}
		image.content = append(image.content, opennebula.Attribute{Name: "APPTEMPLATE64", Value: encode(imageText(part, ""))})
		// The importer makes a VM template of it, with this disk alone.
		if !a.split() {
			image.content = append(image.content, opennebula.Attribute{Name: "VMTEMPLATE64", Value: encode(text)})
		}
		apps = append(apps, image)
		disks = append(disks, link("DISK", strings.ToUpper(part), image.name))
	}
	if a.split() || t.VMTemplateApp || t.ServiceTemplateApp {
		apps = append(apps, a.linkedApp(partVM, names[partVM], opennebula.AppVMTemplate, text, disks))
	}
	if t.ServiceTemplateApp {
		role := link("ROLE", role, names[partVM])
		apps = append(apps, a.linkedApp(partService, names[partService], opennebula.AppServiceTemplate, a.serviceText(), opennebula.Template{role}))
	}
	return apps, nil
}

// link names another app, as the importer looks it up.
func link(vector, name, app string) opennebula.Attribute {
	return opennebula.Attribute{Name: vector, Vector: []opennebula.Attribute{{Name: "NAME", Value: name}, {Name: "APP", Value: app}}}
}

// linkedApp holds no bytes, only text and the names of other apps.
func (a Appliance) linkedApp(part, name string, kind opennebula.AppType, text string, links opennebula.Template) wantedApp {
	content := append(a.appContent(part, kind, a.system()), opennebula.Attribute{Name: "APPTEMPLATE64", Value: encode(text)})
	return wantedApp{part: part, name: name, kind: kind, content: append(content, links...)}
}

// appContent is what apps of all types tell.
func (a Appliance) appContent(part string, kind opennebula.AppType, d manifest.Disk) opennebula.Template {
	return append(opennebula.Template{
		{Name: "TYPE", Value: kind.String()},
		{Name: "VERSION", Value: a.App.Version},
		{Name: "DESCRIPTION", Value: a.App.Description},
		{Name: "SHORT_DESCRIPTION", Value: a.App.ShortDescription},
		{Name: "PUBLISHER", Value: a.App.Publisher},
		{Name: "TAGS", Value: strings.Join(a.App.Tags, ", ")},
		{Name: "HYPERVISOR", Value: "kvm"},
		{Name: "ARCHITECTURE", Value: a.arch()},
		{Name: "OS_ID", Value: a.system().Manifest.OSID},
		{Name: "OS_RELEASE", Value: a.system().Manifest.OSRelease},
	}, a.labels(part, d.Manifest.SHA256)...)
}

// imageText is the template of the image that an import makes. With an md5 the import
// fails if the marketplace's file is no longer the one that was published; without, nobody
// looks.
func imageText(part, md5 string) string {
	text := "DEV_PREFIX=\"vd\"\nTYPE=\"" + imageType(part) + "\"\n"
	if md5 != "" {
		text += "MD5=\"" + md5 + "\"\n"
	}
	return text
}

func imageType(part string) string {
	if part == partModel {
		return "DATABLOCK"
	}
	return "OS"
}

func encode(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// image is what one.image.allocate is given for a disk, but for name and label. SHA1 is the
// only digest oned looks at when there are two; it is that of the file transferred.
func (a Appliance) image(i int, path string) opennebula.Template {
	d := a.Disks[i]
	return append(opennebula.Template{
		{Name: "PATH", Value: path},
		{Name: "SHA1", Value: d.Manifest.SHA1},
		{Name: "TYPE", Value: imageType(a.part(i))},
		{Name: "DEV_PREFIX", Value: "vd"},
		{Name: "DESCRIPTION", Value: a.App.ShortDescription},
	}, a.labels(a.part(i), d.Manifest.SHA256)...)
}

// vmTemplate is the VM template of the cloud itself, whose disks are images of its own.
func (a Appliance) vmTemplate(images []int) opennebula.Template {
	content := templateOf(a.App.VMTemplate(a.arch()))
	for _, id := range images {
		content = append(content, opennebula.Attribute{Name: "DISK", Vector: []opennebula.Attribute{{Name: "IMAGE_ID", Value: fmt.Sprint(id)}}})
	}
	content = append(content, opennebula.Attribute{Name: "DESCRIPTION", Value: a.App.ShortDescription})
	return append(content, a.labels(partVM, a.system().Manifest.SHA256)...)
}

// role is the one role of the service.
const role = "copilot"

// serviceText is the service template, in the JSON of OneFlow. The importer puts in the
// VM template of the role, which it finds by the name.
func (a Appliance) serviceText() string {
	service := map[string]any{
		"name":              a.title(),
		"description":       a.App.ShortDescription,
		"deployment":        "straight",
		"ready_status_gate": true,
		"roles":             []map[string]any{{"name": role, "type": "vm", "cardinality": 1, "min_vms": 1}},
	}
	text, err := json.Marshal(service)
	if err != nil {
		panic(err) // texts and numbers are all it holds
	}
	return string(text)
}

// ImportedTemplate is the VM template that a user of the cloud gets when he imports the
// app, but for the numbers of his images.
func (a Appliance) ImportedTemplate() string {
	text := fmt.Sprintf("NAME=\"%s\"\n", a.title()) + a.App.VMTemplate(a.arch()).Text()
	for range a.Disks {
		text += "DISK=[\n  IMAGE_ID=\"<the imported image>\" ]\n"
	}
	return text
}
