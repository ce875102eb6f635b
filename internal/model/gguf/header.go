package gguf

import (
	"errors"
	"fmt"
	"io"
	"math/bits"
	"strings"
)

// Header is the metadata of a model in a GGUF file.
type Header struct {
	// Architecture is llama.cpp's name of the architecture, such as "llama" or "mistral3".
	Architecture string
	// Name is a display name; it may be empty.
	Name string
	// FileType is llama.cpp's number for the quantization (LLAMA_FTYPE); 15 is Q4_K_M.
	FileType uint64
	// Type is what the file says it holds (general.type), such as "model", "adapter" or
	// "mmproj"; many files do not say.
	Type string
	// ContextLength is the number of tokens the model was trained for.
	ContextLength   uint64
	EmbeddingLength uint64
	// BlockCount is the number of layers.
	BlockCount uint64
	// Numbers are the integers and flags of the architecture, by their key without the name of
	// the architecture, such as "attention.head_count". A flag is 0 or 1.
	Numbers map[string]uint64
	// Lists are those of which a model may have one for each layer.
	Lists      map[string][]uint64
	Vocabulary Vocabulary
	FIM        FIM
	// ChatTemplate makes a prompt of a conversation, in Jinja; it may be empty.
	ChatTemplate string
	Tensors      []Tensor
}

// PartError is the error for one of the files into which llama.cpp's llama-gguf-split divides a
// model.
type PartError struct {
	// Part counts from 1.
	Part, Parts uint64
}

func (e *PartError) Error() string {
	return fmt.Sprintf("it is part %d of %d of a model: merge them with \"llama-gguf-split --merge FIRST-PART WHOLE.gguf\", and use the whole file", e.Part, e.Parts)
}

// Tensor is one entry of the file's tensor table.
type Tensor struct {
	Name       string
	Type       TensorType
	Dimensions []uint64
	// Offset is in bytes from the start of the file.
	Offset uint64
	// Size is in bytes.
	Size uint64
}

// MagicError is the error for a file that is not GGUF.
type MagicError struct {
	// Start holds the first bytes of the file, at most four.
	Start string
}

func (e *MagicError) Error() string {
	return fmt.Sprintf("not a GGUF file: it starts with %q in place of %q", e.Start, magic)
}

// BoundsError is the error for a file that ends too early, usually an interrupted download.
type BoundsError struct {
	Tensor    string
	End, Size uint64
}

func (e *BoundsError) Error() string {
	return fmt.Sprintf("truncated: tensor %q ends at byte %d, the file has %d", e.Tensor, e.End, e.Size)
}

// Limits that no real file comes near, so that a damaged or hostile one cannot make the decoder
// allocate much memory or read for hours.
const (
	// maxHeader is in bytes; a vocabulary and the names of tensors take some ten million.
	maxHeader  = 1 << 27
	maxPairs   = 1 << 12
	maxTensors = 1 << 16
	// maxTokens is four times the largest vocabulary that was published.
	maxTokens = 1 << 20
	// maxLayers is llama.cpp's own limit (LLAMA_MAX_LAYERS).
	maxLayers = 512
	maxName   = 1 << 10
	// maxTemplate is in bytes; the longest in use have some ten thousand.
	maxTemplate = 1 << 20
	// maxKey is the format's own limit.
	maxKey        = 1<<16 - 1
	maxDimensions = 4 // GGML_MAX_DIMS
	maxAlignment  = 1 << 20
)

// Read reads the header of a file of the given size in bytes and checks that all tensors lie
// within it. The weights themselves are not read. No length in the file is trusted.
func Read(r io.ReaderAt, size int64) (Header, error) {
	d := newDecoder(r, size)
	header, err := d.header()
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return Header{}, fmt.Errorf("truncated: the header goes on after the end of the file, which has %d bytes", size)
	case err != nil:
		return Header{}, err
	}
	return header, nil
}

func (d *decoder) header() (Header, error) {
	tensorCount, pairCount, err := d.preamble()
	if err != nil {
		return Header{}, err
	}
	metadata, err := d.metadata(pairCount)
	if err != nil {
		return Header{}, err
	}
	header, err := metadata.header()
	if err != nil {
		return Header{}, err
	}
	alignment, err := metadata.alignment()
	if err != nil {
		return Header{}, err
	}
	header.Tensors, err = d.tensors(tensorCount)
	if err != nil {
		return Header{}, err
	}
	dataStart := roundUp(d.position, alignment)
	return header, place(header.Tensors, dataStart, alignment, d.size)
}

func (d *decoder) preamble() (tensors, pairs uint64, err error) {
	start, err := d.bytes(min(uint64(len(magic)), d.size))
	if err != nil {
		return 0, 0, err
	}
	if string(start) != magic {
		return 0, 0, &MagicError{Start: string(start)}
	}
	v, err := d.uint32()
	if err != nil {
		return 0, 0, err
	}
	if v < oldestVersion || v > version {
		if swapped := bits.ReverseBytes32(v); swapped >= oldestVersion && swapped <= version {
			return 0, 0, errors.New("the file is for a big-endian machine, which is not supported")
		}
		return 0, 0, fmt.Errorf("GGUF version %d is not supported, only %d and %d are", v, oldestVersion, version)
	}
	if tensors, err = d.count("tensors", maxTensors); err != nil {
		return 0, 0, err
	}
	pairs, err = d.count("metadata entries", maxPairs)
	return tensors, pairs, err
}

func (d *decoder) tensors(count uint64) ([]Tensor, error) {
	var tensors []Tensor
	for range count {
		tensor, err := d.tensor()
		if err != nil {
			return nil, err
		}
		tensors = append(tensors, tensor)
	}
	return tensors, nil
}

// tensor reads one entry; its offset is still relative to the start of the data.
func (d *decoder) tensor() (Tensor, error) {
	name, err := d.string("name of a tensor", maxName)
	if err != nil {
		return Tensor{}, err
	}
	tensor := Tensor{Name: name}
	n, err := d.uint32()
	if err != nil {
		return Tensor{}, err
	}
	if n == 0 || n > maxDimensions {
		return Tensor{}, fmt.Errorf("tensor %q has %d dimensions, 1 to %d are possible", name, n, maxDimensions)
	}
	for range n {
		dimension, err := d.uint64()
		if err != nil {
			return Tensor{}, err
		}
		tensor.Dimensions = append(tensor.Dimensions, dimension)
	}
	kind, err := d.uint32()
	if err != nil {
		return Tensor{}, err
	}
	tensor.Type = TensorType(kind)
	if tensor.Offset, err = d.uint64(); err != nil {
		return Tensor{}, err
	}
	tensor.Size, err = tensor.Bytes()
	return tensor, err
}

// Bytes returns the size of a tensor of this type and these dimensions.
func (t Tensor) Bytes() (uint64, error) {
	unit, known := blocks[t.Type]
	if !known {
		return 0, fmt.Errorf("tensor %q has an unknown type, %d", t.Name, uint32(t.Type))
	}
	if t.Dimensions[0]%unit.elements != 0 {
		return 0, fmt.Errorf("tensor %q has rows of %d, which is not a multiple of %s's block of %d", t.Name, t.Dimensions[0], t.Type, unit.elements)
	}
	size := t.Dimensions[0] / unit.elements
	for _, factor := range append([]uint64{unit.bytes}, t.Dimensions[1:]...) {
		high, low := bits.Mul64(size, factor)
		if high != 0 {
			return 0, fmt.Errorf("tensor %q has impossible dimensions %d", t.Name, t.Dimensions)
		}
		size = low
	}
	return size, nil
}

// place makes the offsets relative to the start of the file and checks them.
func place(tensors []Tensor, dataStart, alignment, fileSize uint64) error {
	for i := range tensors {
		t := &tensors[i]
		if t.Offset%alignment != 0 {
			return fmt.Errorf("tensor %q has offset %d, which is not a multiple of the alignment %d", t.Name, t.Offset, alignment)
		}
		start, overflow := bits.Add64(dataStart, t.Offset, 0)
		end, overflowAgain := bits.Add64(start, t.Size, 0)
		if overflow+overflowAgain != 0 {
			return fmt.Errorf("tensor %q has an impossible offset, %d", t.Name, t.Offset)
		}
		if end > fileSize {
			return &BoundsError{Tensor: t.Name, End: end, Size: fileSize}
		}
		t.Offset = start
	}
	return nil
}

func roundUp(n, multiple uint64) uint64 { return (n + multiple - 1) / multiple * multiple }

// metadata holds the entries that Header needs: short strings, numbers and short lists of
// numbers, all by their whole key.
type metadata struct {
	strings    map[string]string
	numbers    map[string]uint64
	lists      map[string][]uint64
	vocabulary vocabularyReader
}

func (m metadata) header() (Header, error) {
	// The second part and those after it have no more metadata than this.
	if parts := m.numbers[keyPartCount]; parts > 1 {
		return Header{}, &PartError{Part: m.numbers[keyPart] + 1, Parts: parts}
	}
	architecture := m.strings[keyArchitecture]
	if architecture == "" {
		return Header{}, fmt.Errorf("the metadata has no %s", keyArchitecture)
	}
	h := Header{
		Architecture: architecture,
		Name:         m.strings[keyName],
		Type:         m.strings[keyType],
		FileType:     m.numbers[keyFileType],
		Numbers:      ofArchitecture(m.numbers, architecture),
		Lists:        ofArchitecture(m.lists, architecture),
		ChatTemplate: m.strings[keyChatTemplate],
	}
	h.ContextLength = h.Numbers[keyContextLength]
	h.EmbeddingLength = h.Numbers[keyEmbeddingLength]
	h.BlockCount = h.Numbers[keyBlockCount]
	h.Vocabulary = m.vocabulary.vocabulary(m)
	h.FIM = m.vocabulary.fim(m)
	return h, nil
}

// ofArchitecture returns the entries of an architecture, without its name and the dot.
func ofArchitecture[V any](entries map[string]V, architecture string) map[string]V {
	found := map[string]V{}
	for key, value := range entries {
		if suffix, ok := strings.CutPrefix(key, architecture+"."); ok {
			found[suffix] = value
		}
	}
	return found
}

func (m metadata) alignment() (uint64, error) {
	alignment, present := m.numbers[keyAlignment]
	if !present {
		return defaultAlignment, nil
	}
	if alignment == 0 || alignment > maxAlignment || alignment&(alignment-1) != 0 {
		return 0, fmt.Errorf("%s is %d, not a power of two up to %d", keyAlignment, alignment, maxAlignment)
	}
	return alignment, nil
}
