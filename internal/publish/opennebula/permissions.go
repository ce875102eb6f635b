package opennebula

import (
	"encoding/xml"
	"errors"
	"fmt"
	"regexp"
)

// Permissions are the rights of owner, group and others to use (4), manage (2) and
// administer (1), as three octal digits: "640".
type Permissions string

var permissionsPattern = regexp.MustCompile(`^[0-7]{3}$`)

// Check returns an error if p is not such a value.
func (p Permissions) Check() error {
	if !permissionsPattern.MatchString(string(p)) {
		return errors.New(`must be three octal digits such as "640"`)
	}
	return nil
}

// arguments returns the arguments of the chmod calls: nine times 0 or 1.
func (p Permissions) arguments() []any {
	var arguments []any
	for _, digit := range string(p) {
		bits := int(digit - '0')
		arguments = append(arguments, bits>>2&1, bits>>1&1, bits&1)
	}
	return arguments
}

// UnmarshalXML decodes a PERMISSIONS element.
func (p *Permissions) UnmarshalXML(d *xml.Decoder, start xml.StartElement) error {
	var bits struct {
		OwnerU int `xml:"OWNER_U"`
		OwnerM int `xml:"OWNER_M"`
		OwnerA int `xml:"OWNER_A"`
		GroupU int `xml:"GROUP_U"`
		GroupM int `xml:"GROUP_M"`
		GroupA int `xml:"GROUP_A"`
		OtherU int `xml:"OTHER_U"`
		OtherM int `xml:"OTHER_M"`
		OtherA int `xml:"OTHER_A"`
	}
	if err := d.DecodeElement(&bits, &start); err != nil {
		return err
	}
	*p = Permissions(fmt.Sprintf("%d%d%d",
		bits.OwnerU<<2|bits.OwnerM<<1|bits.OwnerA,
		bits.GroupU<<2|bits.GroupM<<1|bits.GroupA,
		bits.OtherU<<2|bits.OtherM<<1|bits.OtherA))
	return nil
}
