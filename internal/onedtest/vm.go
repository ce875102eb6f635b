package onedtest

import "strconv"

// refuseVM checks what of a virtual machine is checked in this order by oned, and refuses every
// one: the double starts none.
func (o *Oned) refuseVM(r request) string {
	refuse := func(text string) string { return refusal(internal, "["+r.Method+"] "+text) }
	given, err := parse(r.text(1))
	if err != nil {
		return refuse(err.Error())
	}
	if get(vector(given, "CONTEXT"), "TOKEN") == "YES" && o.noOneGate {
		return refuse("TOKEN set, but onegate endpoint was not defined in oned.conf.")
	}
	if port := get(vector(given, "GRAPHICS"), "PORT"); port != "" {
		if number, err := strconv.Atoi(port); err != nil || number < 0 || number > 65535 {
			return refuse("Wrong PORT number in GRAPHICS attribute")
		}
	}
	return refuse("the double starts no virtual machine")
}

func vector(t []Attribute, name string) []Attribute {
	for _, a := range t {
		if a.Name == name {
			return a.Vector
		}
	}
	return nil
}
