package catalog

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	idA = "aaaaaaaaaaaaaaaaaaaaaaaa"
	idB = "bbbbbbbbbbbbbbbbbbbbbbbb"
)

func TestParseListReadsARecordedOne(t *testing.T) {
	content, err := os.ReadFile(filepath.Join("testdata", "one-marketplace-appliance.json"))
	require.NoError(t, err)
	l, err := parseList(content)
	require.NoError(t, err)
	assert.Equal(t, []string{"Alpine 3.20", "Alpine VM", "Alpine amd64"}, names(l))
}

func TestParseListRefusesDamage(t *testing.T) {
	app := func(id, name string) string { return fmt.Sprintf(`{"_id":{"$oid":"%s"},"name":"%s"}`, id, name) }
	for name, test := range map[string]struct{ content, want string }{
		"empty":            {"", "it is not a list of appliances"},
		"not JSON":         {"<html>", "it is not a list of appliances"},
		"an array":         {"[]", "it is not a list of appliances"},
		"nothing in it":    {"{}", `"appliances" is missing`},
		"null":             {`{"appliances":null}`, `"appliances" is missing`},
		"another key":      {`{"appliances":[],"more":1}`, `unknown field "more"`},
		"two documents":    {`{"appliances":[]}{}`, "something follows"},
		"cut short":        {`{"appliances":[` + app(idA, "a"), "unexpected EOF"},
		"an app is null":   {`{"appliances":[null]}`, "appliances[0]: _id.$oid must be 24 hexadecimal digits"},
		"an app is text":   {`{"appliances":["x"]}`, "appliances[0]: json: cannot unmarshal string"},
		"id with a path":   {`{"appliances":[` + app("../../../../../../../tmp", "a") + `]}`, "must be 24 hexadecimal digits"},
		"id in upper case": {`{"appliances":[` + app("AAAAAAAAAAAAAAAAAAAAAAAA", "a") + `]}`, "must be 24 hexadecimal digits"},
		"no name":          {`{"appliances":[` + app(idA, "") + `]}`, "appliances[0]: name must not be empty"},
		"id twice":         {`{"appliances":[` + app(idA, "a") + "," + app(idA, "b") + `]}`, "appliances[1]: id " + idA + ` or name "b" is there twice`},
		"name twice":       {`{"appliances":[` + app(idA, "a") + "," + app(idB, "a") + `]}`, `or name "a" is there twice`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseList([]byte(test.content))
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func TestParseListListsEveryMistake(t *testing.T) {
	_, err := parseList([]byte(`{"appliances":[{"_id":{"$oid":"1"}},{"_id":{"$oid":"` + idA + `"}}]}`))
	assert.ErrorContains(t, err, "appliances[0]: _id.$oid must be")
	assert.ErrorContains(t, err, "appliances[1]: name must not be empty")
}

// What is accepted comes back the same after an entry was added and the list written.
func FuzzParseList(f *testing.F) {
	recorded, err := os.ReadFile(filepath.Join("testdata", "one-marketplace-appliance.json"))
	require.NoError(f, err)
	f.Add(recorded)
	ours, err := os.ReadFile(filepath.Join("testdata", "appliances.json"))
	require.NoError(f, err)
	f.Add(ours)
	f.Add([]byte(`{"sEcho":1,"appliances":[]}`))
	f.Add([]byte(`{"appliances":[{"_id":{"$oid":"` + idA + `"},"name":"a"}]}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		l, err := parseList(content)
		if err != nil {
			return
		}
		added, gone, err := l.with([]Entry{{ID: ObjectID{idB}, Name: "fuzz"}}, 1)
		if err != nil {
			assert.ErrorContains(t, err, "belongs to another app")
			return
		}
		assert.NotEmpty(t, added.sums(nil))
		written, err := added.content()
		require.NoError(t, err)
		read, err := parseList(written)
		require.NoError(t, err)
		assert.Equal(t, names(added), names(read))
		if !l.has(idB) {
			assert.Len(t, read.entries, len(l.entries)-len(gone)+1)
		}
	})
}
