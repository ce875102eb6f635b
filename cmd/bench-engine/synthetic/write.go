// Package synthetic writes models whose layers have the widths of a real one, and which say what is known in advance:
// the next word is a fixed function of the last one, at any length of the prompt. Every matrix is there and full of
// numbers, so that a token costs what it costs in a layer of the real model.
package synthetic

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
)

// Types of values in the metadata, numbered as in the file.
const (
	typeUint32  = 4
	typeInt32   = 5
	typeFloat32 = 6
	typeBool    = 7
	typeString  = 8
	typeArray   = 9
)

const (
	alignment     = 32
	contextLength = 131072
	// chatTemplate has no marks: the last word of the user is what the answer follows from.
	chatTemplate = "{% for message in messages %}{{ message.content }}{% endfor %}"
)

// Kinds of tokens, as in the file.
const (
	tokenNormal  = 1
	tokenControl = 3
)

// Write writes a GGUF file of as many layers.
func Write(w io.Writer, s Shape, layers int) error {
	vocabulary := newVocabulary()
	tensors := s.tensors(layers, len(vocabulary.tokens))
	out := bufio.NewWriterSize(w, 1<<20)
	_, _ = out.Write(head(s, layers, vocabulary, tensors)) // Flush returns the first error
	random := rand.NewChaCha8([32]byte{})
	for _, t := range tensors {
		t.write(out, random, vocabulary)
		_, _ = out.Write(make([]byte, -t.size()&(alignment-1)))
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the model %s: %w", s.Name, err)
	}
	return nil
}

// vocabulary is a tokenizer of the kind of GPT-2, for which each word is one token.
type vocabulary struct {
	tokens, merges []string
	// before has for each token the one that it follows, itself if none.
	before []int
}

const space = "Ġ" // as GPT-2 writes a blank

func newVocabulary() vocabulary {
	v := vocabulary{tokens: []string{"<|end|>"}}
	for b := range 256 {
		v.tokens = append(v.tokens, spelled(byte(b)))
	}
	for _, c := range consonants {
		v.merge(space, string(c))
	}
	for _, c := range consonants {
		for _, o := range vowels {
			v.merge(space+string(c), string(o))
		}
	}
	ids := map[string]int{}
	for _, word := range words() {
		ids[word] = len(v.tokens)
		v.merge(space+word[:2], word[2:])
	}
	for i := range v.tokens {
		v.before = append(v.before, i)
	}
	order := walk()
	for i, word := range order {
		v.before[ids[order[(i+1)%len(order)]]] = ids[word]
	}
	return v
}

func (v *vocabulary) merge(first, second string) {
	v.merges = append(v.merges, first+" "+second)
	v.tokens = append(v.tokens, first+second)
}

// spelled returns how GPT-2 writes a byte: printable ones as they are, others as letters from 256 on.
func spelled(b byte) string {
	other := rune(256)
	for c := rune(0); c < 256; c++ {
		printable := c >= '!' && c <= '~' || c >= '¡' && c <= '¬' || c >= '®'
		switch {
		case c == rune(b) && printable:
			return string(c)
		case c == rune(b):
			return string(other)
		case !printable:
			other++
		}
	}
	panic("there are 256 bytes")
}

func head(s Shape, layers int, v vocabulary, tensors []tensor) []byte {
	var pairs encoder
	s.metadata(&pairs, layers)
	v.metadata(&pairs)
	var out encoder
	out.WriteString("GGUF")
	out.put(uint32(3), uint64(len(tensors)), uint64(pairs.pairs))
	out.Write(pairs.Bytes())
	offset := 0
	for _, t := range tensors {
		out.text(t.name)
		out.put(uint32(len(t.dimensions)))
		for _, n := range t.dimensions {
			out.put(uint64(n))
		}
		out.put(uint32(t.kind), uint64(offset))
		offset += t.size() + -t.size()&(alignment-1)
	}
	out.Write(make([]byte, -out.Len()&(alignment-1)))
	return out.Bytes()
}

func (s Shape) metadata(e *encoder, layers int) {
	e.pair("general.architecture", s.architecture)
	e.pair("general.name", fmt.Sprintf("%s, %d layers, synthetic", s.Name, layers))
	e.pair("general.alignment", uint32(alignment))
	e.pair("general.file_type", uint32(15)) // LLAMA_FTYPE_MOSTLY_Q4_K_M
	prefix := s.architecture + "."
	e.pair(prefix+"context_length", uint32(contextLength))
	e.pair(prefix+"embedding_length", uint32(s.width))
	e.pair(prefix+"block_count", uint32(layers))
	e.pair(prefix+"feed_forward_length", uint32(s.forward))
	e.pair(prefix+"attention.head_count", uint32(s.heads))
	e.pair(prefix+"attention.head_count_kv", uint32(s.headsKV))
	e.pair(prefix+"attention.key_length", uint32(s.headLength))
	e.pair(prefix+"attention.value_length", uint32(s.headLength))
	e.pair(prefix+"rope.dimension_count", uint32(s.headLength))
	e.pair(prefix+"rope.freq_base", float32(1e6))
	e.pair(prefix+"attention.layer_norm_rms_epsilon", float32(1e-5))
	if s.experts > 0 {
		e.pair(prefix+"expert_count", uint32(s.experts))
		e.pair(prefix+"expert_used_count", uint32(s.used))
		e.pair(prefix+"expert_feed_forward_length", uint32(s.forward))
	}
}

func (v vocabulary) metadata(e *encoder) {
	kinds := make([]int32, len(v.tokens))
	for i := range kinds {
		kinds[i] = tokenNormal
	}
	kinds[0] = tokenControl
	e.pair("tokenizer.ggml.model", "gpt2")
	e.pair("tokenizer.ggml.pre", "gpt-2")
	e.pair("tokenizer.ggml.tokens", v.tokens)
	e.pair("tokenizer.ggml.token_type", kinds)
	e.pair("tokenizer.ggml.merges", v.merges)
	e.pair("tokenizer.ggml.bos_token_id", uint32(0))
	e.pair("tokenizer.ggml.eos_token_id", uint32(0))
	e.pair("tokenizer.ggml.add_bos_token", false)
	e.pair("tokenizer.chat_template", chatTemplate)
}

// encoder builds the head of a file.
type encoder struct {
	bytes.Buffer
	pairs int
}

func (e *encoder) put(numbers ...any) {
	for _, n := range numbers {
		if err := binary.Write(e, binary.LittleEndian, n); err != nil {
			panic(err) // not of a fixed size
		}
	}
}

func (e *encoder) text(s string) {
	e.put(uint64(len(s)))
	e.WriteString(s)
}

func (e *encoder) pair(key string, value any) {
	e.pairs++
	e.text(key)
	switch v := value.(type) {
	case uint32:
		e.put(uint32(typeUint32), v)
	case float32:
		e.put(uint32(typeFloat32), v)
	case bool:
		e.put(uint32(typeBool), v)
	case string:
		e.put(uint32(typeString))
		e.text(v)
	case []string:
		e.put(uint32(typeArray), uint32(typeString), uint64(len(v)))
		for _, s := range v {
			e.text(s)
		}
	case []int32:
		e.put(uint32(typeArray), uint32(typeInt32), uint64(len(v)), v)
	default:
		panic(fmt.Sprintf("a value of type %T", value))
	}
}

func (t tensor) rows() int {
	n := 1
	for _, d := range t.dimensions[1:] {
		n *= d
	}
	return n
}

func (t tensor) size() int {
	n := t.rows() * t.dimensions[0]
	switch t.kind {
	case q4K:
		return n / blockLength * len(blockQ4K{})
	case q6K:
		return n / blockLength * len(blockQ6K{})
	}
	return 4 * n
}

func (t tensor) write(out *bufio.Writer, random *rand.ChaCha8, v vocabulary) {
	if t.kind == f32 {
		t.writeFloats(out, random)
		return
	}
	for row := range t.rows() {
		fill := func(l *levels) { _, _ = random.Read(l[:]) } // it never fails
		switch t.content {
		case embeddings:
			fill = signsOf(row)
		case following:
			fill = signsOf(v.before[row])
		}
		for range t.dimensions[0] / blockLength {
			var l levels
			fill(&l)
			_, _ = out.Write(l.pack(t.kind, t.most)) // Flush returns the first error
		}
	}
}

// signsOf fills blocks with the ends of the range, another pattern for each token.
func signsOf(token int) func(*levels) {
	random := newRandom(uint64(token), 2)
	return func(l *levels) {
		for i := range l {
			l[i] = byte(random.IntN(2)) * 255
		}
	}
}

func (t tensor) writeFloats(out *bufio.Writer, random *rand.ChaCha8) {
	for range t.rows() * t.dimensions[0] {
		value := float32(1)
		if t.content == noise {
			value = t.most * (float32(random.Uint64()>>40)/(1<<23) - 1)
		}
		_ = binary.Write(out, binary.LittleEndian, value) // Flush returns the first error
	}
}
