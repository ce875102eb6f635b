package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// list is the file the driver requests. Entries are kept as they were read, so that nothing
// is lost from one that a newer version, or a person, has written.
type list struct {
	entries []listed
}

type listed struct {
	id, name string
	raw      json.RawMessage
	// own is nil for an entry that this package did not write.
	own *Entry
}

// document is the list in the driver's format. sEcho is part of what OpenNebula's own
// marketplace sends.
type document struct {
	SEcho      *json.RawMessage   `json:"sEcho,omitempty"`
	Appliances *[]json.RawMessage `json:"appliances"`
}

var idPattern = regexp.MustCompile(`^[0-9a-f]{24}$`)

// parseList parses a list strictly; the error lists every mistake.
func parseList(content []byte) (list, error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	var read document
	if err := decoder.Decode(&read); err != nil {
		return list{}, fmt.Errorf("it is not a list of appliances: %w", err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return list{}, errors.New("it is not a list of appliances: something follows the JSON object")
	}
	if read.Appliances == nil {
		return list{}, errors.New(`it is not a list of appliances: "appliances" is missing`)
	}
	var l list
	var mistakes []error
	for i, raw := range *read.Appliances {
		entry, err := parseListed(raw)
		if err == nil {
			err = l.checkUnique(entry)
		}
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("appliances[%d]: %w", i, err))
		}
		l.entries = append(l.entries, entry)
	}
	return l, errors.Join(mistakes...)
}

func parseListed(raw json.RawMessage) (listed, error) {
	var entry struct {
		ID   ObjectID `json:"_id"`
		Name string   `json:"name"`
	}
	if err := json.Unmarshal(raw, &entry); err != nil {
		return listed{}, err
	}
	if !idPattern.MatchString(entry.ID.OID) {
		return listed{}, fmt.Errorf("_id.$oid must be 24 hexadecimal digits in lower case, got %q", entry.ID.OID)
	}
	if err := appliance.CheckObjectName(entry.Name); err != nil {
		return listed{}, fmt.Errorf("name %w", err)
	}
	return listed{id: entry.ID.OID, name: entry.Name, raw: raw, own: readOwn(raw)}, nil
}

var sha256Pattern = regexp.MustCompile(`^[0-9a-f]{64}$`)

// readOwn parses an entry that this package wrote, and returns nil for others: some have no
// App, some have values of other types, and some are edited copies of one of ours.
func readOwn(raw json.RawMessage) *Entry {
	var e Entry
	if json.Unmarshal(raw, &e) != nil || e.App == "" || !appliance.VersionPattern.MatchString(e.Version) {
		return nil
	}
	isVM := e.Type == typeVMTemplate && len(e.Files) == 0
	isImage := e.Type == typeImage && e.Format == "qcow2" && len(e.Files) == 1 && sha256Pattern.MatchString(e.Files[0].SHA256)
	if !isVM && !isImage || isImage && path.Base(e.Files[0].URL) != e.image() {
		return nil
	}
	return &e
}

func (l list) checkUnique(entry listed) error {
	for _, other := range l.entries {
		if other.id == entry.id || other.name == entry.name {
			return fmt.Errorf("id %s or name %q is there twice", entry.id, entry.name)
		}
	}
	return nil
}

func (l list) has(id string) bool {
	return slices.ContainsFunc(l.entries, func(e listed) bool { return e.id == id })
}

// content returns the file, indented so that two of them can be compared with diff.
func (l list) content() ([]byte, error) {
	one := json.RawMessage("1")
	appliances := make([]json.RawMessage, 0, len(l.entries))
	for _, e := range l.entries {
		appliances = append(appliances, e.raw)
	}
	return indented(document{SEcho: &one, Appliances: &appliances})
}

func indented(v any) ([]byte, error) {
	compact, err := marshal(v)
	if err != nil {
		return nil, err
	}
	var buffer bytes.Buffer
	if err := json.Indent(&buffer, compact, "", "  "); err != nil {
		return nil, err
	}
	buffer.WriteByte('\n')
	return buffer.Bytes(), nil
}
