package lockfile

import (
	"cmp"
	"slices"
)

// Kinds of inputs, which are also the names of the blocks.
const (
	KindBaseImage      = "base_image"
	KindContextPackage = "context_package"
	KindLocalAI        = "localai"
	KindBackend        = "backend"
	KindModel          = "model"
)

// kinds is in the order in which a lock file lists them.
var kinds = []string{KindBaseImage, KindContextPackage, KindLocalAI, KindBackend, KindModel}

// Input is one thing an appliance is made of.
type Input struct {
	// Kind is one of the constants above, Name the usual name of the input.
	Kind, Name string
	// Arch is a GOARCH value ("amd64", "arm64"), "" for all architectures.
	Arch string
	// Version is the publisher's version, "" if there is none.
	Version string
	// Source is an http(s) URL, an OCI reference ("oci://host/repository:tag") or a path.
	Source string
	// Digest is "sha256:<hex>" of the file, or of an OCI manifest or index; "" if unknown.
	Digest string
	// Size is in bytes, for an OCI image that of its compressed layers; 0 if unknown.
	Size int64
	// License is an SPDX expression, "" if unknown.
	License string
}

// String returns a display name of the input: "localai local-ai v4.9.0 (amd64)".
func (i Input) String() string {
	text := i.Kind + " " + i.Name
	if i.Version != "" {
		text += " " + i.Version
	}
	if i.Arch != "" {
		text += " (" + i.Arch + ")"
	}
	return text
}

// Lock is the content of a lock file. Parse returns the inputs in the order in which Encode
// writes them.
type Lock struct {
	Inputs []Input
}

// Find returns the input of a kind, for an architecture and from a source.
//
// An input for all architectures matches any arch, but one that names arch takes precedence.
// An empty arch matches every input; of several, one with a digest is preferred. An empty
// source matches if all inputs left are of one name; otherwise none is found.
func (l Lock) Find(kind, arch, source string) (Input, bool) {
	var best *Input
	for _, input := range l.Inputs {
		rightArch := arch == "" || input.Arch == "" || input.Arch == arch
		if input.Kind != kind || !rightArch || source != "" && input.Source != source {
			continue
		}
		if best == nil {
			best = &input
			continue
		}
		if source == "" && input.Name != best.Name {
			return Input{}, false
		}
		if arch == "" && best.Digest == "" && input.Digest != "" || arch != "" && best.Arch == "" {
			best = &input
		}
	}
	if best == nil {
		return Input{}, false
	}
	return *best, true
}

// Named returns the lock with only the inputs of one name.
func (l Lock) Named(name string) Lock {
	return Lock{slices.DeleteFunc(slices.Clone(l.Inputs), func(i Input) bool { return i.Name != name })}
}

// FindModel returns the model that a block of a template means: by its source; without one by its id,
// which is the name of the input; without both the only model.
func (l Lock) FindModel(arch, source, id string) (Input, bool) {
	if source == "" && id != "" {
		l = l.Named(id)
	}
	return l.Find(KindModel, arch, source)
}

// Put adds an input, replacing one with the same Kind, Arch and Source.
func (l *Lock) Put(input Input) {
	l.Inputs = slices.DeleteFunc(slices.Clone(l.Inputs), func(i Input) bool { return i.place() == input.place() })
	l.Inputs = append(l.Inputs, input)
	l.sort()
}

// place is the identity of an input.
type place struct{ kind, arch, source string }

func (i Input) place() place { return place{i.Kind, i.Arch, i.Source} }

func (l *Lock) sort() {
	slices.SortStableFunc(l.Inputs, func(a, b Input) int {
		return cmp.Or(
			cmp.Compare(slices.Index(kinds, a.Kind), slices.Index(kinds, b.Kind)),
			cmp.Compare(a.Name, b.Name),
			cmp.Compare(a.Arch, b.Arch),
			cmp.Compare(a.Source, b.Source),
		)
	})
}
