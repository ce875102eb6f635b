package onedtest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTemplatesOfBothSyntaxes(t *testing.T) {
	disk := Attribute{Name: "DISK", Vector: content("NAME", "a", "APP", "b c")}
	for text, want := range map[string][]Attribute{
		``:                                      nil,
		`NAME=x TYPE="OS"`:                      content("NAME", "x", "TYPE", "OS"),
		"# a comment\nname = x\n":               content("NAME", "x"),
		`V="say \"hi\", C:\\x"`:                 content("V", `say "hi", C:\\x`),
		"V=\"two\nlines\"":                      content("V", "two\nlines"),
		`V=""`:                                  content("V", ""),
		`DISK=[NAME="a", APP="b c" ]` + "\nV=1": append([]Attribute{disk}, content("V", "1")...),
		`<TEMPLATE><NAME>x</NAME><EMPTY/></TEMPLATE>`:      content("NAME", "x"),
		`<T><DISK><NAME>a</NAME><APP>b c</APP></DISK></T>`: {disk},
		`<T><A><B><C>1</C></B></A></T>`:                    nil,
		"<T><V> a\r\nb </V></T>":                           content("V", " a\nb "),
		`<T><OS-ID>x</OS-ID></T>`:                          content("OS-ID", "x"),
	} {
		got, err := parse(text)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for _, text := range []string{`V="open`, `V`, `V="x ]]> y"`, `DISK=[NAME="a"`, `A B=1`, `<T>`, `<T><A></B></T>`, `<`, "<T>&#1;</T>"} {
		_, err := parse(text)
		assert.ErrorContains(t, err, "Parse error", text)
	}
}

func TestWhatCannotBeStored(t *testing.T) {
	assert.True(t, storable(content("V", strings.Repeat("x", maxValue))))
	assert.False(t, storable(content("V", strings.Repeat("x", maxValue+1))))
	assert.False(t, storable([]Attribute{{Name: "D", Vector: content("V", "]]>")}}))
}

// FuzzParse writes in the plain syntax what it has read of it, and reads that again.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`NAME="x"`, `DISK=[NAME="a",APP="b"]`, `<TEMPLATE><A>1</A><D><B>2</B></D></TEMPLATE>`, `A="\""`, "A=]", "A=[", `<?xml version="1.0"?><T/>`, "#\nA=1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		read, err := parse(text)
		if err != nil || strings.HasPrefix(text, "<") || strings.Contains(text, `\`) {
			return // XML has names, and a backslash values, that the plain syntax cannot write
		}
		var b strings.Builder
		for _, a := range read {
			require.NotEmpty(t, a.Name)
			b.WriteString(a.Name + "=")
			if a.Vector == nil {
				b.WriteString(quote(a.Value))
			} else {
				b.WriteString("[")
				for _, v := range a.Vector {
					b.WriteString(v.Name + "=" + quote(v.Value) + ",")
				}
				b.WriteString("]")
			}
			b.WriteString("\n")
		}
		again, err := parse(b.String())
		require.NoError(t, err, b.String())
		assert.Equal(t, read, again, b.String())
	})
}

func quote(value string) string { return `"` + strings.ReplaceAll(value, `"`, `\"`) + `"` }
