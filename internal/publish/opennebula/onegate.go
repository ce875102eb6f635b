package opennebula

import "context"

// MissesOneGate reports whether the front-end refuses virtual machines that ask for a token of
// OneGate, as it does without an ONEGATE_ENDPOINT. No machine is made, because the requested
// one has an impossible port. What the user may not do, or has no quota for, is not known to be
// missing.
func (c *Client) MissesOneGate(ctx context.Context) (bool, error) {
	const hold = true
	err := c.probe(ctx, "one.vm.allocate", "Wrong PORT number in GRAPHICS", Template{
		{Name: "CPU", Value: "0.01"},
		{Name: "MEMORY", Value: "1"},
		{Name: "CONTEXT", Vector: []Attribute{{Name: "TOKEN", Value: "YES"}}},
		{Name: "GRAPHICS", Vector: []Attribute{{Name: "TYPE", Value: "vnc"}, {Name: "PORT", Value: "none"}}},
	}, hold)
	if says(err, "onegate endpoint was not defined") {
		return true, nil
	}
	if _, refused := asRefused(err); refused {
		return false, nil
	}
	return false, err
}
