package opennebula

import (
	"context"
	"encoding/xml"
	"fmt"
)

// ImageState is the state of an image.
type ImageState int

// The states that matter here (OpenNebula's include/Image.h).
const (
	ImageReady  ImageState = 1
	ImageUsed   ImageState = 2
	ImageLocked ImageState = 4
	ImageError  ImageState = 5
	ImageDelete ImageState = 7
)

var imageStates = []string{"INIT", "READY", "USED", "DISABLED", "LOCKED", "ERROR", "CLONE", "DELETE", "USED_PERS", "LOCKED_USED", "LOCKED_USED_PERS"}

func (s ImageState) String() string { return nameOf(imageStates, int(s)) }

// nameOf returns the name of a state, including a state that a later version has added.
func nameOf(names []string, state int) string {
	if state < 0 || state >= len(names) {
		return fmt.Sprintf("state %d", state)
	}
	return names[state]
}

// Image is one image of a datastore.
type Image struct {
	ID          int         `xml:"ID"`
	OwnerID     int         `xml:"UID"`
	Owner       string      `xml:"UNAME"`
	GroupID     int         `xml:"GID"`
	Name        string      `xml:"NAME"`
	State       ImageState  `xml:"STATE"`
	Permissions Permissions `xml:"PERMISSIONS"`
	// SizeMB is the size of the disk a guest sees, rounded up.
	SizeMB      int64    `xml:"SIZE"`
	Format      string   `xml:"FORMAT"`
	DatastoreID int      `xml:"DATASTORE_ID"`
	RunningVMs  int      `xml:"RUNNING_VMS"`
	CloningOps  int      `xml:"CLONING_OPS"`
	Template    Template `xml:"TEMPLATE"`
}

// Images returns the images of the user.
func (c *Client) Images(ctx context.Context) ([]Image, error) {
	var pool struct {
		Images []Image `xml:"IMAGE"`
	}
	err := c.decode(ctx, &pool, "one.imagepool.info", mine, all, all)
	return pool.Images, err
}

// Image returns one image.
func (c *Client) Image(ctx context.Context, id int) (image Image, err error) {
	err = c.decode(ctx, &image, "one.image.info", id, false)
	return image, err
}

// CreateImage registers an image: the front-end copies it from PATH in the template. The image
// is LOCKED when the call returns.
func (c *Client) CreateImage(ctx context.Context, name string, label Label, datastore int, template Template) (int, error) {
	find := func(ctx context.Context) (objects []named, err error) {
		images, err := c.Images(ctx)
		for _, i := range images {
			objects = append(objects, named{i.ID, i.Name, i.Template})
		}
		return objects, err
	}
	return c.allocate(ctx, allocation{"one.image.allocate", name, label, find}, template, datastore)
}

// CheckImage checks whether an image with a disk of sizeMB may be created in a datastore: the
// error names the missing right, quota or space. Nothing is created, because the requested
// image has no name.
func (c *Client) CheckImage(ctx context.Context, datastore int, sizeMB int64) error {
	return c.probe(ctx, "one.image.allocate", "Invalid NAME", Template{
		{Name: "TYPE", Value: "DATABLOCK"},
		{Name: "SIZE", Value: fmt.Sprint(sizeMB)},
	}, datastore)
}

// ChmodImage sets the permissions of an image.
func (c *Client) ChmodImage(ctx context.Context, id int, p Permissions) error {
	return c.change(ctx, "one.image.chmod", append([]any{id}, p.arguments()...)...)
}

// ChgrpImage gives an image to a group.
func (c *Client) ChgrpImage(ctx context.Context, id, group int) error {
	return c.change(ctx, "one.image.chown", id, unchanged, group)
}

// RenameImage gives an image another name.
func (c *Client) RenameImage(ctx context.Context, id int, name string) error {
	return c.change(ctx, "one.image.rename", id, name)
}

// DeleteImage deletes an image; one that no longer exists is not an error. The deletion of a
// READY image finishes later, see WaitImageGone; a LOCKED one is refused.
func (c *Client) DeleteImage(ctx context.Context, id int) error {
	return c.remove(ctx, "one.image.delete", id)
}

// Arguments of pool calls and of chown: the user's own objects, those of all users, no limit,
// no change.
const (
	mine      = -3
	everybody = -2
	all       = -1
	unchanged = -1
)

// decode makes a call and decodes its answer.
func (c *Client) decode(ctx context.Context, into any, method string, arguments ...any) error {
	body, err := c.read(ctx, method, arguments...)
	if err != nil {
		return err
	}
	if err := xml.Unmarshal([]byte(body), into); err != nil {
		return fmt.Errorf("read the answer to %s: %w", method, err)
	}
	return nil
}
