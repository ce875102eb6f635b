package community

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/app"
)

// entry returns the content of <uuid>.yaml.
func (p publication) entry() ([]byte, error) {
	app, m := p.app, p.manifest
	var email []pair
	if app.PublisherEmail != "" {
		email = []pair{{"publisher_email", text(app.PublisherEmail)}}
	}
	name := app.Name
	if m.OSArch != "x86_64" {
		name += " " + m.OSArch
	}
	document := mapping(slices.Concat([]pair{
		{"name", text(name)},
		{"version", text(p.version())},
		{"publisher", text(app.Publisher)},
	}, email, []pair{
		{"short_description", text(app.ShortDescription)},
		{"description", lines(app.Description)},
		{"tags", sequence(texts(app.Tags)...)},
		{"format", text(m.Format)},
		{"creation_time", number(m.CreationTime)},
		{"os-id", text(m.OSID)},
		{"os-release", text(m.OSRelease)},
		{"os-arch", text(m.OSArch)},
		{"hypervisor", text("KVM")},
		{"opennebula_version", text(strings.Join(app.OpenNebulaVersions, ", "))},
		{"opennebula_template", vmTemplate(app.VMTemplate(m.OSArch))},
		{"logo", text(app.Logo)},
		{"images", sequence(mapping([]pair{
			{"name", text(appliance.Name)},
			{"url", text(p.imageURL)},
			{"type", text("OS")},
			{"dev_prefix", text("vd")},
			{"driver", text(m.Format)},
			{"size", number(m.Size)},
			{"checksum", mapping([]pair{{"md5", text(m.MD5)}, {"sha256", text(m.SHA256)}})},
		}))},
	}))
	buffer := bytes.NewBufferString("---\n")
	encoder := yaml.NewEncoder(buffer)
	encoder.SetIndent(2)
	if err := encoder.Encode(document); err != nil {
		return nil, fmt.Errorf("write the app of the community's marketplace: %w", err)
	}
	return buffer.Bytes(), nil
}

// vmTemplate quotes every value: for a number, the marketplace would drop the app's template.
func vmTemplate(t app.VMTemplate) *yaml.Node {
	// The marketplace's driver puts each value between quotes without escaping it.
	t = t.Map(func(value string) string { return strings.ReplaceAll(value, `"`, `\"`) })
	values := map[string]*yaml.Node{}
	for name, value := range t.Attributes {
		values[name] = text(value)
	}
	for name, vectors := range t.Vectors {
		var nodes []*yaml.Node
		for _, v := range vectors {
			nodes = append(nodes, vector(v))
		}
		values[name] = sequence(nodes...)
		if len(nodes) == 1 {
			values[name] = nodes[0]
		}
	}
	return sorted(values)
}

func vector(members map[string]string) *yaml.Node {
	values := map[string]*yaml.Node{}
	for name, value := range members {
		values[name] = text(value)
	}
	return sorted(values)
}

type pair struct {
	key   string
	value *yaml.Node
}

func mapping(pairs []pair) *yaml.Node {
	n := &yaml.Node{Kind: yaml.MappingNode}
	for _, p := range pairs {
		n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: p.key}, p.value)
	}
	return n
}

func sorted(values map[string]*yaml.Node) *yaml.Node {
	var pairs []pair
	for _, key := range slices.Sorted(maps.Keys(values)) {
		pairs = append(pairs, pair{key, values[key]})
	}
	return mapping(pairs)
}

func sequence(items ...*yaml.Node) *yaml.Node {
	return &yaml.Node{Kind: yaml.SequenceNode, Content: items}
}

// text is always quoted, so that no parser reads it as another type.
func text(value string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.SingleQuotedStyle}
}

func texts(values []string) []*yaml.Node {
	var nodes []*yaml.Node
	for _, value := range values {
		nodes = append(nodes, text(value))
	}
	return nodes
}

// lines is a multi-line text, readable in the file. yamllint forbids trailing blanks and more
// than two empty lines.
func lines(value string) *yaml.Node {
	var trimmed []string
	for line := range strings.Lines(value) {
		line = strings.TrimRight(line, " \t\r\n")
		if line == "" && len(trimmed) > 0 && trimmed[len(trimmed)-1] == "" {
			continue
		}
		trimmed = append(trimmed, line)
	}
	value = strings.Trim(strings.Join(trimmed, "\n"), "\n")
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value, Style: yaml.LiteralStyle}
}

func number(n int64) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!int", Value: strconv.FormatInt(n, 10)}
}
