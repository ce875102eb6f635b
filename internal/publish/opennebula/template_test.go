package opennebula

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTemplateComesBackAsItWasSent(t *testing.T) {
	sent := Template{
		{Name: "NAME", Value: "a <b> & \"c\" ' \\"},
		{Name: "DESCRIPTION", Value: "  two\n\tlines ✓ \u00a0$USER[X] `id`\\\"  "},
		{Name: "OS-ID", Value: "Debian"},
		{Name: "DISK", Vector: []Attribute{{Name: "IMAGE_ID", Value: "1"}}},
		{Name: "DISK", Vector: []Attribute{{Name: "IMAGE_ID", Value: "2"}, {Name: "X", Value: "y=[z]"}}},
	}
	text, err := sent.XML()
	require.NoError(t, err)
	assert.True(t, strings.HasPrefix(text, "<TEMPLATE><NAME>"), "the first byte decides about the syntax")
	var got Template
	require.NoError(t, xml.Unmarshal([]byte(text), &got))
	assert.Equal(t, sent, got)
	assert.Equal(t, "Debian", got.Get("OS-ID"))
	assert.Empty(t, got.Get("DISK"), "a vector has no value")
	assert.Empty(t, got.Get("NONE"))
}

func TestEmptyAttributesAreLeftOut(t *testing.T) {
	text, err := Template{{Name: "A"}, {Name: "V", Vector: []Attribute{}}, {Name: "B", Value: "b"}}.XML()
	require.NoError(t, err)
	assert.Equal(t, "<TEMPLATE><B>b</B></TEMPLATE>", text)
}

func TestTemplateRefusesWhatWouldNotBeStored(t *testing.T) {
	_, err := Template{
		{Name: "A", Value: "x ]]> y"},
		{Name: "B", Value: "rocket \U0001F680"},
		{Name: "C", Value: "a\r\nb"},
		{Name: "D", Value: "a\x01b"},
		{Name: "E", Value: "a\xffb"},
		{Name: "a b", Value: "x"},
		{Name: "V", Vector: []Attribute{{Name: "F", Value: "]]>"}}},
	}.XML()
	require.Error(t, err)
	assert.Equal(t, strings.Join([]string{
		`A: must not hold "]]>"`,
		"B: must not hold characters above U+FFFF such as emoji",
		"C: must not hold the control character U+000D",
		"D: must not hold the control character U+0001",
		"E: must be valid UTF-8",
		`"a b" cannot be the name of an attribute`,
		`F: must not hold "]]>"`,
	}, "\n"), err.Error())

	_, err = Template{{Name: "A", Value: strings.Repeat("x", maxTemplate)}}.XML()
	assert.ErrorContains(t, err, "OpenNebula keeps 8388608 at most")
}

func TestTemplateReadsWhatOnedWrites(t *testing.T) {
	var object struct {
		Template    Template    `xml:"TEMPLATE"`
		Permissions Permissions `xml:"PERMISSIONS"`
	}
	require.NoError(t, xml.Unmarshal([]byte(`<IMAGE><PERMISSIONS><OWNER_U>1</OWNER_U><OWNER_M>1</OWNER_M><OWNER_A>0</OWNER_A>`+
		`<GROUP_U>1</GROUP_U><GROUP_M>0</GROUP_M><GROUP_A>0</GROUP_A><OTHER_U>0</OTHER_U><OTHER_M>0</OTHER_M><OTHER_A>1</OTHER_A></PERMISSIONS>`+
		`<TEMPLATE><A><![CDATA[x <y> ]]]]><![CDATA[ z]]></A><EMPTY><![CDATA[]]></EMPTY><V><B><![CDATA[1]]></B></V></TEMPLATE></IMAGE>`), &object))
	assert.Equal(t, Template{
		{Name: "A", Value: "x <y> ]] z"}, {Name: "EMPTY"}, {Name: "V", Vector: []Attribute{{Name: "B", Value: "1"}}},
	}, object.Template)
	assert.Equal(t, Permissions("641"), object.Permissions)
}

func TestPermissions(t *testing.T) {
	assert.Equal(t, []any{1, 1, 0, 1, 0, 0, 0, 0, 0}, Permissions("640").arguments())
	for _, bad := range []Permissions{"", "64", "0640", "648", "rw-"} {
		assert.Error(t, bad.Check(), "%q", bad)
	}
	assert.NoError(t, Permissions("640").Check())
}

func FuzzTemplate(f *testing.F) {
	f.Add("NAME", "value")
	f.Add("V", "<TEMPLATE>]]]]")
	f.Add("A-B", "\\\"\n\t")
	f.Fuzz(func(t *testing.T, name, value string) {
		text, err := Template{{Name: name, Value: value}, {Name: "VECTOR", Vector: []Attribute{{Name: name, Value: value}}}}.XML()
		if err != nil || value == "" {
			return
		}
		var got Template
		require.NoError(t, xml.Unmarshal([]byte(text), &got))
		require.Equal(t, value, got.Get(name))
		require.Len(t, got, 2)
	})
}

func FuzzReadTemplate(f *testing.F) {
	f.Add("<TEMPLATE><A>1</A><V><B>2</B></V></TEMPLATE>")
	f.Add("<TEMPLATE><A><![CDATA[]]></A>")
	f.Fuzz(func(t *testing.T, document string) {
		var got Template
		_ = xml.Unmarshal([]byte(document), &got) // must neither panic nor hang
	})
}
