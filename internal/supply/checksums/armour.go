package checksums

import "strings"

// armour is the section of a clear-signed OpenPGP text that a line belongs to (RFC 9580, 7). Only
// what is signed holds entries: anybody may have added the rest. The signature itself is not
// verified here.
type armour int

const (
	notArmoured armour = iota
	outside
	inHeader
	inText
)

const (
	beginSigned    = "-----BEGIN PGP SIGNED MESSAGE-----"
	beginSignature = "-----BEGIN PGP SIGNATURE-----"
)

// armourOf returns the section that a list begins with.
func armourOf(list string) armour {
	for line := range strings.Lines(list) {
		if trimmed(line) == beginSigned {
			return outside
		}
	}
	return notArmoured
}

func (a armour) after(line string) armour {
	switch {
	case line == beginSigned:
		return inHeader
	case line == beginSignature:
		return outside
	case a == inHeader && line == "":
		return inText
	}
	return a
}

func (a armour) holdsEntries() bool { return a == notArmoured || a == inText }

// trimmed returns a line without what OpenPGP does not sign: white space at its end.
func trimmed(line string) string { return strings.TrimRight(line, " \t\r\n") }
