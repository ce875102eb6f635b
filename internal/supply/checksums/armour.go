package checksums

// armour is where in a clear-signed text of OpenPGP a line stands. Headers and signature are
// not entries; the signature itself is not checked here.
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
