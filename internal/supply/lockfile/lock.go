package lockfile

import (
	"cmp"
	"slices"
)

// Kinds of inputs. They are the names of the blocks.
const (
	KindBaseImage      = "base_image"
	KindContextPackage = "context_package"
	KindLocalAI        = "localai"
	KindBackend        = "backend"
	KindModel          = "model"
)

// kinds is in the order in which a file lists them.
var kinds = []string{KindBaseImage, KindContextPackage, KindLocalAI, KindBackend, KindModel}

// Input is one thing an appliance is made of.
type Input struct {
	// Kind is one of the constants above, Name what people call it.
	Kind, Name string
	// Arch is Go's name of an architecture ("amd64", "arm64"), "" for all of them.
	Arch string
	// Version is the publisher's, "" where there is none.
	Version string
	// Source is an http(s) URL, an OCI reference ("oci://host/repository:tag") or a path.
	Source string
	// Digest is "sha256:<hex>" of the file, or of an OCI manifest or index; "" if it is not
	// known yet.
	Digest string
	// Size is in bytes; of an OCI image, that of its compressed layers; 0 if it is not
	// known.
	Size int64
	// License is an SPDX expression, "" if nobody said.
	License string
}

// String names the input for people: "localai local-ai v4.9.0 (amd64)".
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

// Lock is a whole file. Parse returns the inputs in the order in which Encode writes them.
type Lock struct {
	Inputs []Input
}

// Find returns the input of that kind for an architecture and from a source.
//
// An input for every architecture matches each, and gives way to one that names it. An empty
// arch matches every input; of several, one with a digest is preferred. An empty source means
// the only thing of that kind: where inputs of several names are left, none is found.
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

// Put adds an input, in the place of one with the same Kind, Arch and Source.
func (l *Lock) Put(input Input) {
	l.Inputs = slices.DeleteFunc(slices.Clone(l.Inputs), func(i Input) bool { return i.place() == input.place() })
	l.Inputs = append(l.Inputs, input)
	l.sort()
}

// place is what tells one input from another.
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
