package provenance

import (
	"strings"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/digest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// The types named in the statement; docs/image.md explains them.
const (
	statementType = "https://in-toto.io/Statement/v1"
	predicateType = "https://slsa.dev/provenance/v1"
	// BuildType defines the meaning of the parameters.
	BuildType = "https://github.com/slm-copilot/packer-plugin-slm-copilot/blob/main/docs/image.md#build-type-v1"
	builderID = "https://github.com/slm-copilot/packer-plugin-slm-copilot"
)

// The parts written here, named as in the specifications. The types of in-toto's own library
// are protocol buffers, whose JSON encoding is deliberately unstable; equal builds must give
// equal bytes.
type statement struct {
	Type          string     `json:"_type"`
	Subject       []resource `json:"subject"`
	PredicateType string     `json:"predicateType"`
	Predicate     predicate  `json:"predicate"`
}

type predicate struct {
	BuildDefinition buildDefinition `json:"buildDefinition"`
	RunDetails      runDetails      `json:"runDetails"`
}

type buildDefinition struct {
	BuildType            string            `json:"buildType"`
	ExternalParameters   map[string]string `json:"externalParameters"`
	ResolvedDependencies []resource        `json:"resolvedDependencies,omitempty"`
}

type runDetails struct {
	Builder  builder  `json:"builder"`
	Metadata metadata `json:"metadata"`
}

type builder struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version"`
}

type metadata struct {
	InvocationID string `json:"invocationId"`
	StartedOn    string `json:"startedOn"`
	FinishedOn   string `json:"finishedOn"`
}

// resource is a ResourceDescriptor of in-toto.
type resource struct {
	Name        string            `json:"name,omitempty"`
	URI         string            `json:"uri,omitempty"`
	Digest      map[string]string `json:"digest,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func (b Build) statement() statement {
	s := statement{
		Type:          statementType,
		PredicateType: predicateType,
		Predicate: predicate{
			BuildDefinition: buildDefinition{BuildType: BuildType, ExternalParameters: public(b.Parameters)},
			RunDetails: runDetails{
				Builder: builder{ID: builderID, Version: map[string]string{"packer-plugin-slm-copilot": b.BuilderVersion}},
				Metadata: metadata{
					InvocationID: b.ID,
					StartedOn:    b.Started.UTC().Format(time.RFC3339),
					FinishedOn:   b.Finished.UTC().Format(time.RFC3339),
				},
			},
		},
	}
	for _, file := range b.Subjects {
		s.Subject = append(s.Subject, resource{Name: file.Name, Digest: map[string]string{"sha256": file.SHA256}})
	}
	for _, input := range b.Inputs {
		definition := &s.Predicate.BuildDefinition
		definition.ResolvedDependencies = append(definition.ResolvedDependencies, dependency(input))
	}
	return s
}

func dependency(input lockfile.Input) resource {
	r := resource{
		Name:        sourceuri.Strip(input.Name),
		URI:         sourceuri.URL(input.Source),
		Annotations: map[string]string{"kind": input.Kind},
	}
	if image := sourceuri.OCI(input.Source, input.Digest); image != "" {
		r.URI = image
	}
	if input.Digest != "" {
		r.Digest = map[string]string{"sha256": strings.TrimPrefix(input.Digest, digest.SHA256Prefix)}
	}
	if input.Version != "" {
		r.Annotations["version"] = input.Version
	}
	if input.Arch != "" {
		r.Annotations["arch"] = input.Arch
	}
	return r
}

// public removes what may be secret, and what means nothing to others.
func public(parameters map[string]string) map[string]string {
	shown := make(map[string]string, len(parameters))
	for name, value := range parameters {
		shown[name] = sourceuri.Strip(value)
	}
	return shown
}
