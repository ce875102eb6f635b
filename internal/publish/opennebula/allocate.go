package opennebula

import (
	"context"
	"errors"
	"fmt"
)

// New objects are distinguished from those of other runs by an attribute whose value no other
// run uses. It identifies an object whose allocation got no answer.

// Label is such an identifying attribute.
type Label struct{ Name, Value string }

func (l Label) is(t Template) bool { return t.Get(l.Name) == l.Value }

// allocation describes one object to create.
type allocation struct {
	method string
	name   string
	label  Label
	// find lists the user's own objects of the kind.
	find func(context.Context) ([]named, error)
}

// named holds what objects of all kinds have.
type named struct {
	id       int
	name     string
	template Template
}

// allocate creates the object and returns its id; a *TakenError says that another object has
// the name. If an answer is lost, the object is searched for before the call is repeated: the
// front-end may have created it, or may still be creating it.
func (c *Client) allocate(ctx context.Context, a allocation, template Template, arguments ...any) (int, error) {
	content := append(Template{{Name: "NAME", Value: a.name}, {Name: a.label.Name, Value: a.label.Value}}, template...)
	text, err := content.XML()
	if err != nil {
		return 0, fmt.Errorf("make %q: %w", a.name, err)
	}
	var id int
	lost := false
	err = c.persist(ctx, a.method, func(ctx context.Context) error {
		if lost {
			there, found, err := c.lookUp(ctx, a)
			if err != nil || found {
				id = there
				return err
			}
		}
		response, err := c.call(ctx, a.method, append([]any{text}, arguments...)...)
		if err != nil {
			lost = true
			return err
		}
		id = response.BodyInt()
		return nil
	})
	if other := taken(err, a.name); other != nil {
		return c.ownOrTaken(ctx, a, other)
	}
	if err != nil {
		return 0, fmt.Errorf("make %q: %w", a.name, err)
	}
	return id, nil
}

// ownOrTaken handles a name that is taken: either by the object of an earlier attempt, whose
// id it returns, or by another object.
func (c *Client) ownOrTaken(ctx context.Context, a allocation, other *TakenError) (int, error) {
	id, found, err := c.lookUp(ctx, a)
	if err != nil {
		return 0, err
	}
	if found && id == other.ID {
		return id, nil
	}
	return 0, other
}

func (c *Client) lookUp(ctx context.Context, a allocation) (id int, found bool, err error) {
	objects, err := a.find(ctx)
	if err != nil {
		return 0, false, fmt.Errorf("look for %q: %w", a.name, err)
	}
	for _, o := range objects {
		if o.name == a.name && a.label.is(o.template) {
			return o.id, true, nil
		}
	}
	return 0, false, nil
}

// merge makes a call that adds attributes to an object; those with the same name are replaced,
// others stay.
func (c *Client) merge(ctx context.Context, method string, id int, template Template) error {
	text, err := template.XML()
	if err != nil {
		return err
	}
	const merge = 1 // 0 would replace the whole template
	return c.change(ctx, method, id, text, merge)
}

// remove makes a call that deletes an object; one that no longer exists is not an error.
func (c *Client) remove(ctx context.Context, method string, id int) error {
	if err := c.change(ctx, method, id); err != nil && !IsGone(err) {
		return err
	}
	return nil
}

// probe attempts an allocation that the front-end refuses with the text expected, but only
// after it has checked rights, quotas and free space. Nothing is created.
func (c *Client) probe(ctx context.Context, method, expected string, template Template, arguments ...any) error {
	text, err := template.XML()
	if err != nil {
		return err
	}
	err = c.change(ctx, method, append([]any{text}, arguments...)...)
	if err == nil {
		return errors.New(method + " made an object of a template that cannot be one; this front-end is not known to the toolchain")
	}
	if says(err, expected) {
		return nil
	}
	return err
}
