package checksums

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	a256, b256 = strings.Repeat("a", 64), strings.Repeat("b", 64)
	a512       = strings.Repeat("a", 128)
	aMD5       = strings.Repeat("c", 32)
)

func TestFind(t *testing.T) {
	of256, of512 := Sums{SHA256: a256}, Sums{SHA512: a512}
	clearSigned := "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + a256 + "  file\n" +
		"-----BEGIN PGP SIGNATURE-----\n\niQIzBAEBCAAdFiEE\n=abcd\n-----END PGP SIGNATURE-----\n"
	for name, test := range map[string]struct {
		list string
		want Sums
		err  string
	}{
		"text":                         {b256 + "  other\n" + a256 + "  file\n", of256, ""},
		"text after what is no entry":  {"x  other\n" + a512 + "  file\n", of512, ""},
		"binary":                       {a256 + " *file\n", of256, ""},
		"one space":                    {a256 + " file\n", of256, ""},
		"a tab":                        {a256 + "\tfile\n", of256, ""},
		"a tab and binary":             {a256 + "\t*file\n", of256, ""},
		"below this directory":         {a256 + "  ./file", of256, ""},
		"in another directory":         {a256 + "  images/file", Sums{}, "it has no entry for file"},
		"upper case":                   {strings.ToUpper(a256) + "  file", of256, ""},
		"line ends of DOS":             {b256 + "  other\r\n" + a256 + "  file\r\n", of256, ""},
		"spaces at the start":          {"  " + a256 + "  file\n", of256, ""},
		"spaces before BSD":            {"\tSHA256 (file) = " + a256 + "\n", of256, ""},
		"spaces at the end":            {a256 + "  file \t\n", of256, ""},
		"SHA-512":                      {a512 + "  file\n", of512, ""},
		"BSD":                          {"SHA256 (file) = " + a256 + "\n", of256, ""},
		"BSD, of SHA-512":              {"SHA512 (file) = " + a512 + "\n", of512, ""},
		"BSD, below this directory":    {"SHA256 (./file) = " + a256 + "\n", of256, ""},
		"BSD, after its comment":       {"# file: 5 bytes\nSHA256 (file) = " + a256 + "\n", of256, ""},
		"BSD, of another name":         {"SHA256 (file) (2) = " + a256 + "\n", Sums{}, "no entry"},
		"openssl":                      {"SHA256(file)= " + a256 + "\nSHA2-512(file)= " + a512 + "\n", Sums{a256, a512}, ""},
		"two kinds":                    {aMD5 + "  file\n" + a256 + "  file\n" + a512 + "  file\n", Sums{a256, a512}, ""},
		"another name":                 {a256 + "  file.sig\n" + a256 + "  my-file\n", Sums{}, "it has no entry for file"},
		"the same twice":               {a256 + "  file\n" + strings.ToUpper(a256) + " *file\n", of256, ""},
		"two digests":                  {a256 + "  file\n" + b256 + "  file\n", Sums{}, "two different digests for file"},
		"no digest":                    {"deadbeef  file\n" + strings.Repeat("g", 64) + "  file\n", Sums{}, "the entry of file holds no SHA-256 and no SHA-512"},
		"of MD5":                       {aMD5 + " *file\n", Sums{}, "holds no SHA-256"},
		"a web page":                   {"<html><body>file</body></html>", Sums{}, "no entry"},
		"clear-signed":                 {clearSigned, of256, ""},
		"clear-signed, no end":         {"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n" + a256 + "  file\n", of256, ""},
		"before what is signed":        {b256 + "  file\n" + clearSigned, of256, ""},
		"only before what is signed":   {a256 + "  file\n" + strings.ReplaceAll(clearSigned, "file", "other"), Sums{}, "no entry for file"},
		"between two signed texts":     {clearSigned + b256 + "  file\n" + clearSigned, of256, ""},
		"signed, line ends of DOS":     {b256 + "  file\r\n" + strings.ReplaceAll(clearSigned, "\n", "\r\n"), of256, ""},
		"signed, then signed apart":    {a256 + "  file\n-----BEGIN PGP SIGNATURE-----\n\n" + b256 + "  file\n", of256, ""},
		"a byte order mark":            {"\ufeff" + a256 + "  file\n", of256, ""},
		"a byte order mark, BSD":       {"\ufeffSHA256 (file) = " + a256 + "\r\n", of256, ""},
		"a mark before what is signed": {"\ufeff" + clearSigned, of256, ""},
		"after what is signed":         {clearSigned + b256 + "  file\n", of256, ""},
		"an entry in the header":       {strings.Replace(clearSigned, "Hash: SHA256", b256+"  file", 1), of256, ""},
		"nothing":                      {"", Sums{}, "it has no entry for file"},
		"the name alone":               {"file", Sums{}, "no entry"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Find(test.list, "file")
			assert.Equal(t, test.want, got)
			if test.err == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.err)
			}
		})
	}
}

func TestAListThatIsTooLongIsNotCut(t *testing.T) {
	entry := a256 + "  file\n"
	list, err := Read(strings.NewReader(strings.Repeat("\n", maxList-len(entry)) + entry))
	require.NoError(t, err)
	found, err := Find(list, "file")
	require.NoError(t, err)
	assert.Equal(t, a256, found.SHA256)

	_, err = Read(strings.NewReader(strings.Repeat("\n", maxList-len(entry)+1) + entry))
	require.EqualError(t, err, "it is no list of digests: it has more than 1048576 bytes")
	_, err = Read(iotest.ErrReader(io.ErrUnexpectedEOF))
	assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
}

func TestFindOfANameThatIsNotListedSaysSo(t *testing.T) {
	_, err := Find(a256+"  other\n", "file")
	require.ErrorIs(t, err, ErrNotListed)
	_, err = Find(aMD5+"  file\n", "file")
	require.NotErrorIs(t, err, ErrNotListed)
}

// The lines are those of GNU coreutils 9.7.
func TestNamesThatAreEscaped(t *testing.T) {
	for name, line := range map[string]string{
		"a\nb":      `\` + a256 + `  a\nb`,
		`a\b`:       `\` + a256 + `  a\\b`,
		"a\rb":      `\` + a256 + `  a\rb`,
		`a\` + "\n": `\` + a256 + `  a\\\n`,
		`a\nb`:      `\` + a256 + `  a\\nb`,
		"a b":       a256 + "  a b",
	} {
		got, err := Find(line+"\n", name)
		require.NoError(t, err, "%q", name)
		assert.Equal(t, a256, got.SHA256)
		assert.Equal(t, line+"\n", string(Format(map[string]string{name: a256})))
	}
	got, err := Find(`\SHA256 (a\nb) = `+a256, "a\nb")
	require.NoError(t, err)
	assert.Equal(t, a256, got.SHA256)
}

func TestLinesAreNumberedAsTheyStand(t *testing.T) {
	assert.Equal(t, []Line{
		{Number: 2, Name: "a", Sums: Sums{SHA256: a256}},
		{Number: 3},
		{Number: 5, Name: "b"},
	}, Lines("\n"+a256+"  a\nx\n\nzz  b\n"))
}

func TestFormatIsSorted(t *testing.T) {
	assert.Equal(t, a256+"  a\n"+b256+"  b/c\n", string(Format(map[string]string{"b/c": b256, "a": a256})))
	assert.Empty(t, Format(nil))
}

func FuzzFind(f *testing.F) {
	f.Add(a256+"  file\n"+a512+" *file", "file")
	f.Add("SHA256 (file) = "+a256, "file")
	f.Add(`\`+a256+`  a\nb`, "a\nb")
	f.Add(b256+"  file\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"+a256+"  file\n-----BEGIN PGP SIGNATURE-----\n", "file")
	f.Add("\ufeff"+a256+"\t./file\r\n", "file")
	f.Fuzz(func(t *testing.T, list, file string) {
		found, err := Find(list, file)
		assert.Equal(t, err == nil, found != Sums{})
		assert.Contains(t, []int{0, 64}, len(found.SHA256))
		assert.Contains(t, []int{0, 128}, len(found.SHA512))
		for _, digits := range []string{found.SHA256, found.SHA512} {
			assert.Contains(t, strings.ToLower(list), digits)
			assert.Empty(t, strings.Trim(digits, "0123456789abcdef"))
		}
	})
}

func FuzzWhatIsWrittenIsRead(f *testing.F) {
	f.Add("images/a.qcow2")
	f.Add("a\\\r\nb")
	f.Fuzz(func(t *testing.T, name string) {
		if strings.Trim(name, " \t\r\n*") != name || strings.HasPrefix(name, "./") || name == "" {
			t.Skip("forgiven where it is read")
		}
		got, err := Find(string(Format(map[string]string{name: a256})), name)
		require.NoError(t, err)
		assert.Equal(t, Sums{SHA256: a256}, got)
	})
}
