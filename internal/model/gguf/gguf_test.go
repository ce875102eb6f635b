package gguf

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
)

func tiny(t testing.TB) []byte {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, Write(&file, Tiny("Tiny")))
	return file.Bytes()
}

func read(file []byte) (Header, error) {
	return Read(bytes.NewReader(file), int64(len(file)))
}

func TestWriteAlwaysGivesTheSameBytes(t *testing.T) {
	const golden = "testdata/tiny.sha256"
	sum := sha256.Sum256(tiny(t))
	got := hex.EncodeToString(sum[:]) + "\n"
	goldentest.Equal(t, golden, got, "images are built from these bytes; -update if the change is meant")
	assert.Less(t, len(tiny(t)), 512<<10)
}

func TestReadGivesBackWhatWasWritten(t *testing.T) {
	model := Model{
		Name: "Größer", ContextLength: 4096, EmbeddingLength: 96, BlockCount: 3,
		FeedForwardLength: 40, HeadCount: 6, HeadCountKV: 3,
	}
	var file bytes.Buffer
	require.NoError(t, Write(&file, model))
	header, err := read(file.Bytes())
	require.NoError(t, err)

	tensors := header.Tensors
	header.Tensors = nil
	assert.Equal(t, Header{
		Architecture: "llama", Name: "Größer", ContextLength: 4096, EmbeddingLength: 96, BlockCount: 3,
		Numbers: map[string]uint64{
			keyContextLength: 4096, keyEmbeddingLength: 96, keyBlockCount: 3, keyFeedForwardLength: 40,
			keyHeadCount: 6, keyHeadCountKV: 3, keyKeyLength: 16, keyValueLength: 16, keyRopeDimensions: 16,
			keyVocabSize: uint64(len(vocabulary())),
		},
		Lists:        map[string][]uint64{},
		Vocabulary:   Vocabulary{Longest: len(" return"), MarksSpaces: true},
		ChatTemplate: chatTemplate,
	}, header)

	require.Len(t, tensors, 3+3*9)
	vocab := uint64(len(vocabulary()))
	first, last := tensors[0], tensors[len(tensors)-1]
	assert.Equal(t, "token_embd.weight", first.Name)
	assert.Equal(t, []uint64{96, vocab}, first.Dimensions)
	assert.Equal(t, 4*96*vocab, first.Size)
	assert.Equal(t, "output.weight", last.Name)
	assert.Equal(t, uint64(file.Len()), roundUp(last.Offset+last.Size, defaultAlignment), "nothing is left over")
	for i, tensor := range tensors {
		assert.Equal(t, F32, tensor.Type)
		assert.Zero(t, tensor.Offset%defaultAlignment, tensor.Name)
		if i > 0 {
			before := tensors[i-1]
			assert.Equal(t, roundUp(before.Offset+before.Size, defaultAlignment), tensor.Offset, "llama.cpp wants no gaps before %s", tensor.Name)
		}
	}
}

// Ids and names must be where llama.cpp's loader of the "llama" tokenizer looks.
func TestVocabularyHasWhatTheTokenizerNeeds(t *testing.T) {
	tokens := vocabulary()
	assert.Equal(t, "<unk>", tokens[idUnknown].text)
	assert.Equal(t, "<s>", tokens[idBegin].text)
	assert.Equal(t, "</s>", tokens[idEnd].text)
	bytesSeen := 0
	texts := map[string]bool{}
	for _, token := range tokens {
		assert.False(t, texts[token.text], "%q is there twice", token.text)
		texts[token.text] = true
		if token.kind == tokenByte {
			bytesSeen++
		}
	}
	assert.Equal(t, 256, bytesSeen)
	assert.True(t, texts["<0x0A>"], "the tokenizer looks up its newline")
}

func TestWriteRefusesImpossibleShapes(t *testing.T) {
	err := Write(io.Discard, Model{Name: "x", EmbeddingLength: 10, HeadCount: 3, HeadCountKV: 2})
	require.Error(t, err)
	assert.Equal(t, strings.Join([]string{
		"ContextLength must be positive",
		"BlockCount must be positive",
		"FeedForwardLength must be positive",
		"EmbeddingLength must be a multiple of twice HeadCount",
		"HeadCount must be a multiple of HeadCountKV",
	}, "\n"), err.Error())
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestWriteReportsAFailedWrite(t *testing.T) {
	assert.EqualError(t, Write(brokenWriter{}, Tiny("Tiny")), `write GGUF model "Tiny": disk full`)
}

func TestReadSaysWhatIsNotAGGUFFile(t *testing.T) {
	for content, want := range map[string]string{
		"":                 `not a GGUF file: it starts with "" in place of "GGUF"`,
		"GG":               `not a GGUF file: it starts with "GG" in place of "GGUF"`,
		"<!DOCTYPE html>":  `not a GGUF file: it starts with "<!DO" in place of "GGUF"`,
		"\x80\xff\x00*...": `not a GGUF file: it starts with "\x80\xff\x00*" in place of "GGUF"`,
	} {
		_, err := read([]byte(content))
		require.EqualError(t, err, want)
		var wrong *MagicError
		assert.ErrorAs(t, err, &wrong)
	}
}

func TestReadFindsATruncatedFileWhereverItEnds(t *testing.T) {
	file := tiny(t)
	header, err := read(file)
	require.NoError(t, err)
	headerEnd := header.Tensors[0].Offset
	last := header.Tensors[len(header.Tensors)-1]

	_, err = read(file[:last.Offset+last.Size-1])
	var bounds *BoundsError
	require.ErrorAs(t, err, &bounds)
	assert.Equal(t, BoundsError{Tensor: "output.weight", End: last.Offset + last.Size, Size: last.Offset + last.Size - 1}, *bounds)
	assert.Contains(t, err.Error(), `truncated: tensor "output.weight" ends at byte`)

	for end := 4; end < len(file); end += 1 + end/64 {
		_, err := read(file[:end])
		require.Error(t, err, "%d bytes", end)
		if uint64(end) < headerEnd-defaultAlignment {
			assert.Contains(t, err.Error(), "truncated: the header goes on after the end of the file", "%d bytes", end)
		}
	}
}

// A file that is shorter than its directory entry says: its end was lost while we read.
func TestReadStandsAFileThatShrinks(t *testing.T) {
	file := tiny(t)
	_, err := Read(bytes.NewReader(file[:1000]), int64(len(file)))
	assert.ErrorContains(t, err, "truncated: the header goes on")
}

// handmade builds files that Write never would.
type handmade struct {
	encoder
	tensors encoder
	count   uint64
}

func (h *handmade) llama() *handmade {
	h.pairString(keyArchitecture, "llama")
	for _, key := range []string{keyContextLength, keyEmbeddingLength, keyBlockCount, keyHeadCount} {
		h.pairUint32("llama."+key, 4)
	}
	return h
}

func (h *handmade) tensor(name string, kind TensorType, offset uint64, dimensions ...uint64) *handmade {
	h.count++
	h.tensors.string(name)
	h.tensors.uint32(uint32(len(dimensions)))
	for _, dimension := range dimensions {
		h.tensors.uint64(dimension)
	}
	h.tensors.uint32(uint32(kind))
	h.tensors.uint64(offset)
	return h
}

func (h *handmade) file(data int) []byte {
	var f encoder
	f.WriteString(magic)
	f.uint32(version)
	f.uint64(h.count)
	f.uint64(h.pairs)
	f.Write(h.Bytes())
	f.Write(h.tensors.Bytes())
	f.pad()
	f.Write(make([]byte, data))
	return f.Bytes()
}

func TestReadRefusesWhatIsWrong(t *testing.T) {
	set := func(offset int, value uint64) []byte {
		file := new(handmade).llama().file(0)
		binary.LittleEndian.PutUint64(file[offset:], value)
		return file
	}
	withVersion := func(v uint32) []byte {
		file := new(handmade).llama().file(0)
		binary.LittleEndian.PutUint32(file[4:], v)
		return file
	}
	oddArray := func(kind valueType, n int) []byte {
		h := new(handmade).llama()
		h.pairArray("list", kind, n)
		h.Write(make([]byte, 64))
		return h.file(0)
	}
	withNumber := func(key string, value uint32) []byte {
		h := new(handmade).llama()
		h.pairUint32(key, value)
		return h.file(0)
	}
	unknownPair := new(handmade)
	unknownPair.pair("x", 13)
	nameless := new(handmade)
	nameless.pairString(keyName, "no architecture")
	second := new(handmade)
	second.pairUint32(keyPart, 1)
	second.pairUint32(keyPartCount, 3)

	for name, test := range map[string]struct {
		file []byte
		want string
	}{
		"version 1":            {withVersion(1), "GGUF version 1 is not supported, only 2 and 3 are"},
		"version 4":            {withVersion(4), "GGUF version 4 is not supported"},
		"big endian":           {withVersion(3 << 24), "big-endian"},
		"tensor count":         {set(8, 1<<60), "the file claims 1152921504606846976 tensors, at most 65536 are believed"},
		"pair count":           {set(16, 1<<60), "the file claims 1152921504606846976 metadata entries, at most 4096 are believed"},
		"key length":           {set(24, 1<<60), "the key of a metadata entry has 1152921504606846976 bytes, at most 65535 are possible"},
		"value type":           {unknownPair.file(8), `metadata entry "x" has an unknown type, 13`},
		"array of arrays":      {oddArray(typeArray, 1), `metadata entry "list" is an array of arrays`},
		"array of nothing":     {oddArray(99, 1), `metadata entry "list" has an unknown type, 99`},
		"long odd array":       {oddArray(99, maxPairs+1), `metadata entry "list" has elements of an unknown type, 99`},
		"endless numbers":      {oddArray(typeUint64, 1<<62), "truncated"},
		"endless strings":      {oddArray(typeString, 1<<62), "truncated"},
		"no architecture":      {nameless.file(0), "the metadata has no general.architecture"},
		"the first part":       {withNumber(keyPartCount, 2), `it is part 1 of 2 of a model: merge them with "llama-gguf-split --merge FIRST-PART WHOLE.gguf"`},
		"a later part":         {second.file(0), "it is part 2 of 3 of a model"},
		"alignment 0":          {withNumber(keyAlignment, 0), "general.alignment is 0, not a power of two"},
		"alignment 48":         {withNumber(keyAlignment, 48), "general.alignment is 48, not a power of two"},
		"tensor name":          {new(handmade).llama().tensor(strings.Repeat("x", 2000), F32, 0, 8).file(32), "the name of a tensor has 2000 bytes"},
		"no dimension":         {new(handmade).llama().tensor("t", F32, 0).file(32), `tensor "t" has 0 dimensions`},
		"five dimensions":      {new(handmade).llama().tensor("t", F32, 0, 1, 1, 1, 1, 1).file(32), `tensor "t" has 5 dimensions`},
		"tensor type":          {new(handmade).llama().tensor("t", 4, 0, 8).file(32), `tensor "t" has an unknown type, 4`},
		"partial block":        {new(handmade).llama().tensor("t", 12, 0, 100).file(64), `tensor "t" has rows of 100, which is not a multiple of Q4_K's block of 256`},
		"dimensions overflow":  {new(handmade).llama().tensor("t", F32, 0, 1<<32, 1<<32).file(32), `tensor "t" has impossible dimensions`},
		"unaligned offset":     {new(handmade).llama().tensor("t", F32, 5, 8).file(64), `tensor "t" has offset 5, which is not a multiple of the alignment 32`},
		"offset overflow":      {new(handmade).llama().tensor("t", F32, 1<<64-32, 8).file(64), `tensor "t" has an impossible offset`},
		"offset after the end": {new(handmade).llama().tensor("t", F32, 1<<40, 8).file(64), `truncated: tensor "t" ends at byte 1099511628`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(test.file)
			require.Error(t, err)
			assert.Contains(t, err.Error(), test.want)
		})
	}
}

func TestReadUnderstandsOtherArchitectures(t *testing.T) {
	h := new(handmade)
	h.pairString(keyArchitecture, "mistral3")
	h.pairString(keyType, "model")
	h.pairString("general.description", strings.Repeat("long ", 5000))
	h.pairUint32(keyFileType, 15)
	h.pairUint32(keyPartCount, 1)
	h.pairUint32("mistral3."+keyContextLength, 393216)
	h.pairUint32("mistral3.attention.sliding_window", 0)
	h.pairUint32("mistral3x.attention.sliding_window", 1)
	h.pairArray("mistral3."+keyHeadCountKV, typeInt32, 2)
	h.uint32(4)
	h.uint32(8)
	h.pairArray("mistral3.attention.sliding_window_pattern", typeBool, 3)
	h.Write([]byte{0, 1, 7})
	h.pairArray("mistral3.deepstack_mapping", typeInt32, 2)
	h.uint32(1)
	h.uint32(0xFFFFFFFF) // -1
	h.pair("mistral3.attention.causal", typeBool)
	h.Write([]byte{1})
	h.pairFloat32("mistral3.rope.freq_base", 1e9)
	h.pairArray("mistral3.longer_than_the_layers", typeUint8, maxLayers+1)
	h.Write(make([]byte, maxLayers+1))
	h.tensor("blk.0.attn_q.weight", 12, 0, 256, 3)

	header, err := read(h.file(3 * 144))
	require.NoError(t, err)
	assert.Equal(t, "model", header.Type)
	assert.Equal(t, uint64(15), header.FileType)
	assert.Equal(t, uint64(393216), header.ContextLength)
	assert.Equal(t, map[string]uint64{keyContextLength: 393216, "attention.sliding_window": 0, "attention.causal": 1}, header.Numbers)
	assert.Equal(t, map[string][]uint64{keyHeadCountKV: {4, 8}, "attention.sliding_window_pattern": {0, 1, 1}}, header.Lists)
	assert.Equal(t, uint64(3*144), header.Tensors[0].Size)
	assert.Equal(t, "Q4_K", header.Tensors[0].Type.String())
	assert.Equal(t, "type 4", TensorType(4).String())
}

// sparse is a file that begins with a header and has nothing but zeros after it, for a tebibyte.
type sparse []byte

func (s sparse) ReadAt(b []byte, offset int64) (int, error) {
	clear(b)
	if offset < int64(len(s)) {
		copy(b, s[offset:])
	}
	return len(b), nil
}

// hostile are the beginnings of headers that claim more than any model has.
func hostile() map[string]struct{ file, want string } {
	claim := func(kind valueType, n uint64, rest ...uint64) string {
		h := new(handmade).llama()
		h.pair("list", typeArray)
		h.uint32(uint32(kind))
		h.uint64(n)
		for _, word := range rest {
			h.uint64(word)
		}
		return string(h.file(0))
	}
	text := func(key string, n uint64) string {
		h := new(handmade).llama()
		h.pair(key, typeString)
		h.uint64(n)
		return string(h.file(0))
	}
	const long = "the header goes on after 128 MiB, which no model's does"
	return map[string]struct{ file, want string }{
		"strings of nothing": {claim(typeString, 1<<36), long},
		"numbers":            {claim(typeUint64, 1<<36), long},
		"numbers, overflow":  {claim(typeUint64, 1<<61+1), "truncated"},
		"bytes, the most":    {claim(typeUint8, 1<<64-1), "truncated"},
		"tokens of nothing":  {claimTokens(1 << 36), long},
		"a string":           {text("x", 1<<39), long},
		"a string of 2^63":   {text("x", 1<<63), "truncated"},
		"a template of 2^63": {text(keyChatTemplate, 1<<63), "tokenizer.chat_template has 9223372036854775808 bytes, at most 1048576 are possible"},
		"a name of 2^63":     {text(keyName, 1<<63), "general.name has 9223372036854775808 bytes"},
		"a token of 2^63":    {claimTokens(1, 1<<63), "truncated"},
		"nested arrays":      {claim(typeArray, 1<<20, uint64(typeArray), uint64(typeArray)), "array of arrays"},
	}
}

func claimTokens(n uint64, rest ...uint64) string {
	h := new(handmade).llama()
	h.pair(keyTokens, typeArray)
	h.uint32(uint32(typeString))
	h.uint64(n)
	for _, word := range rest {
		h.uint64(word)
	}
	return string(h.file(0))
}

func TestReadIsNotHeldUpByWhatAFileClaims(t *testing.T) {
	for name, test := range hostile() {
		t.Run(name, func(t *testing.T) {
			_, err := Read(sparse(test.file), 1<<40)
			assert.ErrorContains(t, err, test.want)
		})
	}
}

func FuzzRead(f *testing.F) {
	for _, test := range hostile() {
		f.Add([]byte(test.file))
	}
	var small bytes.Buffer
	require.NoError(f, Write(&small, Model{
		Name: "small", ContextLength: 8, EmbeddingLength: 2, BlockCount: 1, FeedForwardLength: 1, HeadCount: 1, HeadCountKV: 1,
	}))
	f.Add(small.Bytes())
	f.Add(small.Bytes()[:300])
	f.Add(new(handmade).llama().tensor("t", 12, 0, 256).file(144))
	f.Fuzz(func(t *testing.T, file []byte) {
		header, err := read(file)
		if err != nil {
			assert.Empty(t, header, "no half header beside an error")
			return
		}
		for _, tensor := range header.Tensors {
			assert.LessOrEqual(t, tensor.Offset+tensor.Size, uint64(len(file)))
		}
	})
}
