package cloud

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/image/manifest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// wantedApp describes an app as it should be.
type wantedApp struct {
	part string
	name string
	kind opennebula.AppType
	// disk is the index of the disk in an app of type IMAGE.
	disk int
	// content has all attributes except the name, the origin and the label of the run.
	content opennebula.Template
}

// apps returns the apps of the appliance, each after the apps it refers to. The app that
// users import is named after the title.
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
		// For an app of one disk, the importer also creates a VM template.
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

// link refers to another app by name, in the form that the importer resolves.
func link(vector, name, app string) opennebula.Attribute {
	return opennebula.Attribute{Name: vector, Vector: []opennebula.Attribute{{Name: "NAME", Value: name}, {Name: "APP", Value: app}}}
}

// linkedApp describes an app without an image, which refers to other apps.
func (a Appliance) linkedApp(part, name string, kind opennebula.AppType, text string, links opennebula.Template) wantedApp {
	content := append(a.appContent(part, kind, a.system()), opennebula.Attribute{Name: "APPTEMPLATE64", Value: encode(text)})
	return wantedApp{part: part, name: name, kind: kind, content: append(content, links...)}
}

// appContent returns the attributes that apps of all types have.
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

// imageText is the template of the image that an import creates. With an md5 the import
// fails if the file in the marketplace has changed since it was published; without one it
// is not checked.
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

// image returns the template for one.image.allocate, without name and label. Of several
// digests oned checks only SHA1, which is that of the transferred file.
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

// vmTemplate returns the VM template in the cloud itself, which uses the images there.
func (a Appliance) vmTemplate(images []int) opennebula.Template {
	content := templateOf(a.App.VMTemplate(a.arch()))
	for _, id := range images {
		content = append(content, opennebula.Attribute{Name: "DISK", Vector: []opennebula.Attribute{{Name: "IMAGE_ID", Value: fmt.Sprint(id)}}})
	}
	content = append(content, opennebula.Attribute{Name: "DESCRIPTION", Value: a.App.ShortDescription})
	return append(content, a.labels(partVM, a.system().Manifest.SHA256)...)
}

// role is the name of the only role in the service.
const role = "copilot"

// serviceText is the service template, in OneFlow's JSON. The importer adds the VM template
// of the role, found by the role's name.
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
		panic(err) // strings and numbers always encode
	}
	return string(text)
}

// ImportedTemplate returns the VM template that users get when they import the app. It has
// a placeholder for the image ids.
func (a Appliance) ImportedTemplate() string {
	text := fmt.Sprintf("NAME=\"%s\"\n", a.title()) + a.App.VMTemplate(a.arch()).Text()
	for range a.Disks {
		text += "DISK=[\n  IMAGE_ID=\"<the imported image>\" ]\n"
	}
	return text
}
