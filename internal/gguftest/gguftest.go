// Package gguftest makes GGUF files of any metadata, for tests. Package gguf writes only whole
// models.
package gguftest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
)

// Types of values, numbered as in the file.
const (
	typeUint32  = 4
	typeFloat32 = 6
	typeBool    = 7
	typeString  = 8
	typeArray   = 9
)

// alignment is that of files that state none.
const alignment = 32

// File returns a file with the metadata, and a tensor of eight numbers for each name. Values are
// of the types that encoding/json decodes into: string, bool, float64 for an integer of 32 bits,
// and []any of one of these; or float32.
func File(metadata map[string]any, tensors ...string) []byte {
	f := &file{}
	f.head(metadata, len(tensors))
	for i, name := range tensors {
		f.string(name)
		f.put(uint32(1), uint64(8), uint32(0), uint64(i*alignment)) // one dimension of 8, F32
	}
	f.pad()
	f.Write(make([]byte, alignment*len(tensors)))
	return f.Bytes()
}

type file struct{ bytes.Buffer }

// head writes all that is before the table of tensors.
func (f *file) head(metadata map[string]any, tensors int) {
	f.WriteString("GGUF")
	f.put(uint32(3), uint64(tensors), uint64(len(metadata)))
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		f.string(key)
		f.put(kind(metadata[key]))
		f.value(metadata[key])
	}
}

func (f *file) pad() { f.Write(make([]byte, (alignment-f.Len()%alignment)%alignment)) }

func (f *file) put(numbers ...any) {
	for _, n := range numbers {
		if err := binary.Write(f, binary.LittleEndian, n); err != nil {
			panic(err) // not of a fixed size
		}
	}
}

func (f *file) string(s string) {
	f.put(uint64(len(s)))
	f.WriteString(s)
}

func kind(value any) uint32 {
	switch value.(type) {
	case float64:
		return typeUint32
	case float32:
		return typeFloat32
	case bool:
		return typeBool
	case string:
		return typeString
	case []any:
		return typeArray
	}
	panic(fmt.Sprintf("a value of type %T", value))
}

func (f *file) value(value any) {
	switch v := value.(type) {
	case float64:
		f.put(uint32(v))
	case bool, float32:
		f.put(v)
	case string:
		f.string(v)
	case []any:
		f.put(kind(v[0]), uint64(len(v)))
		for _, element := range v {
			f.value(element)
		}
	}
}
