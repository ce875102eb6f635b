package opennebula

import "context"

// VMTemplate is a VM template of the cloud.
type VMTemplate struct {
	ID          int         `xml:"ID"`
	OwnerID     int         `xml:"UID"`
	Owner       string      `xml:"UNAME"`
	GroupID     int         `xml:"GID"`
	Name        string      `xml:"NAME"`
	Permissions Permissions `xml:"PERMISSIONS"`
	Template    Template    `xml:"TEMPLATE"`
}

// VMTemplates returns the VM templates of the user.
func (c *Client) VMTemplates(ctx context.Context) ([]VMTemplate, error) {
	var pool struct {
		Templates []VMTemplate `xml:"VMTEMPLATE"`
	}
	err := c.decode(ctx, &pool, "one.templatepool.info", mine, all, all)
	return pool.Templates, err
}

// VMTemplate returns one VM template.
func (c *Client) VMTemplate(ctx context.Context, id int) (template VMTemplate, err error) {
	err = c.decode(ctx, &template, "one.template.info", id, false, false)
	return template, err
}

// CreateVMTemplate creates a VM template.
func (c *Client) CreateVMTemplate(ctx context.Context, name string, label Label, template Template) (int, error) {
	find := func(ctx context.Context) (objects []named, err error) {
		templates, err := c.VMTemplates(ctx)
		for _, t := range templates {
			objects = append(objects, named{t.ID, t.Name, t.Template})
		}
		return objects, err
	}
	return c.allocate(ctx, allocation{"one.template.allocate", name, label, find}, template)
}

// UpdateVMTemplate merges attributes into a VM template; those with the same name are
// replaced.
func (c *Client) UpdateVMTemplate(ctx context.Context, id int, template Template) error {
	return c.merge(ctx, "one.template.update", id, template)
}

// ChmodVMTemplate sets the permissions of a VM template.
func (c *Client) ChmodVMTemplate(ctx context.Context, id int, p Permissions) error {
	return c.change(ctx, "one.template.chmod", append(append([]any{id}, p.arguments()...), false)...)
}

// ChgrpVMTemplate gives a VM template to a group.
func (c *Client) ChgrpVMTemplate(ctx context.Context, id, group int) error {
	return c.change(ctx, "one.template.chown", id, unchanged, group)
}

// RenameVMTemplate gives a VM template another name.
func (c *Client) RenameVMTemplate(ctx context.Context, id int, name string) error {
	return c.change(ctx, "one.template.rename", id, name)
}

// DeleteVMTemplate deletes a VM template at once; one that no longer exists is not an error.
func (c *Client) DeleteVMTemplate(ctx context.Context, id int) error {
	return c.remove(ctx, "one.template.delete", id)
}
