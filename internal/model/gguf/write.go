package gguf

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
)

// Model holds the dimensions of a model to write. All numbers must be positive.
type Model struct {
	Name              string
	ContextLength     uint32
	EmbeddingLength   uint32
	BlockCount        uint32
	FeedForwardLength uint32
	HeadCount         uint32
	HeadCountKV       uint32
}

// Tiny returns a model of about 400 KiB. Its output is meaningless.
func Tiny(name string) Model {
	return Model{
		Name:          name,
		ContextLength: 32768, EmbeddingLength: 64, BlockCount: 2,
		FeedForwardLength: 128, HeadCount: 4, HeadCountKV: 2,
	}
}

// Write writes a complete GGUF file of the llama architecture with pseudo-random F32 weights.
// The same model always gives the same bytes.
func Write(w io.Writer, m Model) error {
	if err := m.check(); err != nil {
		return err
	}
	tensors := m.tensors()
	out := bufio.NewWriter(w)
	// bufio returns the first error from Flush.
	_, _ = out.Write(m.head(tensors))
	noise := uint64(1)
	for _, tensor := range tensors {
		writeWeights(out, tensor, &noise)
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write GGUF model %q: %w", m.Name, err)
	}
	return nil
}

func (m Model) check() error {
	var mistakes []error
	for _, field := range []struct {
		name  string
		value uint32
	}{
		{"ContextLength", m.ContextLength},
		{"EmbeddingLength", m.EmbeddingLength},
		{"BlockCount", m.BlockCount},
		{"FeedForwardLength", m.FeedForwardLength},
		{"HeadCount", m.HeadCount},
		{"HeadCountKV", m.HeadCountKV},
	} {
		if field.value == 0 {
			mistakes = append(mistakes, fmt.Errorf("%s must be positive", field.name))
		}
	}
	if m.HeadCount > 0 && m.EmbeddingLength%(2*m.HeadCount) != 0 {
		mistakes = append(mistakes, errors.New("EmbeddingLength must be a multiple of twice HeadCount"))
	}
	if m.HeadCountKV > 0 && m.HeadCount%m.HeadCountKV != 0 {
		mistakes = append(mistakes, errors.New("HeadCount must be a multiple of HeadCountKV"))
	}
	return errors.Join(mistakes...)
}

func (m Model) headLength() uint32 { return m.EmbeddingLength / m.HeadCount }

// tensors returns the tensors llama.cpp requires of the llama architecture, in the order of
// its conversion scripts, with offsets from the start of the data.
func (m Model) tensors() []Tensor {
	embedding, vocab := uint64(m.EmbeddingLength), uint64(len(vocabulary()))
	heads := uint64(m.HeadCount * m.headLength())
	headsKV := uint64(m.HeadCountKV * m.headLength())
	forward := uint64(m.FeedForwardLength)

	tensors := []Tensor{{Name: "token_embd.weight", Dimensions: []uint64{embedding, vocab}}}
	for i := range m.BlockCount {
		for _, t := range []Tensor{
			{Name: "attn_norm", Dimensions: []uint64{embedding}},
			{Name: "attn_q", Dimensions: []uint64{embedding, heads}},
			{Name: "attn_k", Dimensions: []uint64{embedding, headsKV}},
			{Name: "attn_v", Dimensions: []uint64{embedding, headsKV}},
			{Name: "attn_output", Dimensions: []uint64{heads, embedding}},
			{Name: "ffn_norm", Dimensions: []uint64{embedding}},
			{Name: "ffn_gate", Dimensions: []uint64{embedding, forward}},
			{Name: "ffn_up", Dimensions: []uint64{embedding, forward}},
			{Name: "ffn_down", Dimensions: []uint64{forward, embedding}},
		} {
			t.Name = fmt.Sprintf("blk.%d.%s.weight", i, t.Name)
			tensors = append(tensors, t)
		}
	}
	tensors = append(tensors,
		Tensor{Name: "output_norm.weight", Dimensions: []uint64{embedding}},
		Tensor{Name: "output.weight", Dimensions: []uint64{embedding, vocab}})

	offset := uint64(0)
	for i := range tensors {
		tensors[i].Size = 4 * elements(tensors[i])
		tensors[i].Offset = offset
		offset += roundUp(tensors[i].Size, defaultAlignment)
	}
	return tensors
}

func elements(t Tensor) uint64 {
	n := uint64(1)
	for _, dimension := range t.Dimensions {
		n *= dimension
	}
	return n
}

// head returns everything before the weights, padded.
func (m Model) head(tensors []Tensor) []byte {
	e := &encoder{}
	m.metadata(e)
	var head encoder
	head.WriteString(magic)
	head.uint32(version)
	head.uint64(uint64(len(tensors)))
	head.uint64(e.pairs)
	head.Write(e.Bytes())
	for _, t := range tensors {
		head.string(t.Name)
		head.uint32(uint32(len(t.Dimensions)))
		for _, dimension := range t.Dimensions {
			head.uint64(dimension)
		}
		head.uint32(uint32(F32))
		head.uint64(t.Offset)
	}
	head.pad()
	return head.Bytes()
}

func (m Model) metadata(e *encoder) {
	const architecture, prefix = "llama", "llama."
	e.pairString(keyArchitecture, architecture)
	e.pairString(keyName, m.Name)
	e.pairUint32(keyAlignment, defaultAlignment)
	e.pairUint32(keyFileType, 0) // LLAMA_FTYPE_ALL_F32
	e.pairUint32(prefix+keyVocabSize, uint32(len(vocabulary())))
	e.pairUint32(prefix+keyContextLength, m.ContextLength)
	e.pairUint32(prefix+keyEmbeddingLength, m.EmbeddingLength)
	e.pairUint32(prefix+keyBlockCount, m.BlockCount)
	e.pairUint32(prefix+keyFeedForwardLength, m.FeedForwardLength)
	e.pairUint32(prefix+keyHeadCount, m.HeadCount)
	e.pairUint32(prefix+keyHeadCountKV, m.HeadCountKV)
	e.pairUint32(prefix+keyKeyLength, m.headLength())
	e.pairUint32(prefix+keyValueLength, m.headLength())
	e.pairUint32(prefix+keyRopeDimensions, m.headLength())
	e.pairFloat32(prefix+keyNormEpsilon, 1e-5)
	tokenizer(e)
}

// writeWeights writes small numbers for a matrix and ones for a norm, which keeps the
// activations in a real engine finite.
func writeWeights(out *bufio.Writer, t Tensor, noise *uint64) {
	var data [4]byte
	for range elements(t) {
		value := float32(1)
		if len(t.Dimensions) > 1 {
			*noise = *noise*6364136223846793005 + 1442695040888963407 // Knuth's MMIX generator
			value = (float32(*noise>>40)/(1<<24) - 0.5) / 8
		}
		binary.LittleEndian.PutUint32(data[:], math.Float32bits(value))
		_, _ = out.Write(data[:])
	}
	_, _ = out.Write(make([]byte, roundUp(t.Size, defaultAlignment)-t.Size))
}

// encoder builds the head of a file in memory.
type encoder struct {
	bytes.Buffer
	pairs uint64
}

func (e *encoder) uint32(n uint32) { e.Write(binary.LittleEndian.AppendUint32(nil, n)) }
func (e *encoder) uint64(n uint64) { e.Write(binary.LittleEndian.AppendUint64(nil, n)) }

func (e *encoder) string(s string) {
	e.uint64(uint64(len(s)))
	e.WriteString(s)
}

func (e *encoder) pad() {
	n := uint64(e.Len())
	e.Write(make([]byte, roundUp(n, defaultAlignment)-n))
}

// pair starts a metadata entry; the value follows.
func (e *encoder) pair(key string, kind valueType) {
	e.pairs++
	e.string(key)
	e.uint32(uint32(kind))
}

func (e *encoder) pairString(key, value string) {
	e.pair(key, typeString)
	e.string(value)
}

func (e *encoder) pairUint32(key string, value uint32) {
	e.pair(key, typeUint32)
	e.uint32(value)
}

func (e *encoder) pairFloat32(key string, value float32) {
	e.pair(key, typeFloat32)
	e.uint32(math.Float32bits(value))
}

func (e *encoder) pairArray(key string, kind valueType, n int) {
	e.pair(key, typeArray)
	e.uint32(uint32(kind))
	e.uint64(uint64(n))
}
