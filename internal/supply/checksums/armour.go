package checksums

// armour is the section of a clear-signed OpenPGP text that a line belongs to. Armour headers
// and signatures are not entries; the signature itself is not verified here.
type armour int

const (
	notArmoured armour = iota
	inHeader
	inText
	inSignature
)

func (a armour) after(line string) armour {
	switch {
	case line == "-----BEGIN PGP SIGNED MESSAGE-----":
		return inHeader
	case line == "-----BEGIN PGP SIGNATURE-----":
		return inSignature
	case a == inHeader && line == "":
		return inText
	}
	return a
}

func (a armour) holdsEntries() bool { return a == notArmoured || a == inText }
