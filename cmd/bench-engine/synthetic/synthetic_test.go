package synthetic

import (
	"bytes"
	"encoding/binary"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

// small returns the shapes with narrow layers: all that differs is the time that a test takes.
func small() []Shape {
	dense, experts := Shapes[0], Shapes[1]
	dense.width, dense.heads, dense.headsKV, dense.headLength, dense.forward = 256, 4, 2, 64, 512
	experts.width, experts.heads, experts.headsKV, experts.headLength, experts.forward, experts.experts, experts.used = 256, 4, 2, 64, 256, 4, 2
	return []Shape{dense, experts}
}

func written(t *testing.T, s Shape, layers int) []byte {
	t.Helper()
	var file bytes.Buffer
	require.NoError(t, Write(&file, s, layers))
	return file.Bytes()
}

func TestTheApplianceReadsTheModel(t *testing.T) {
	for _, shape := range small() {
		file := written(t, shape, 3)
		header, err := gguf.Read(bytes.NewReader(file), int64(len(file)))
		require.NoError(t, err, shape.Name)
		assert.Equal(t, shape.architecture, header.Architecture)
		assert.Equal(t, uint64(3), header.BlockCount)
		assert.Equal(t, chatTemplate, header.ChatTemplate)
		_, err = fit.Decide(8<<30, header, 8192)
		assert.NoError(t, err)
		last := header.Tensors[len(header.Tensors)-1]
		assert.Equal(t, "output.weight", last.Name)
	}
}

// The sizes are those of the real layers: 24B has 40 of the first, 30B has 48 of the second.
func TestLayersAreAsWideAsTheRealOnes(t *testing.T) {
	weights := func(s Shape) (all int) {
		for _, l := range s.layer(q4K) {
			all += l.rows() * l.dimensions[0]
		}
		return all
	}
	assert.InDelta(t, 22.3e9, float64(40*weights(Shapes[0])), 0.2e9, "24B has 1.3 of embeddings, and 0.4 for pictures")
	assert.InDelta(t, 29.9e9, float64(48*weights(Shapes[1])), 0.2e9, "30.5B has 0.6 of embeddings")
}

// half as a number.
func unhalf(bits uint16) float64 {
	exponent, mantissa := int(bits>>10&31), float64(bits&0x3ff)
	if exponent == 0 {
		return mantissa / 1024 * math.Pow(2, -14)
	}
	return (1 + mantissa/1024) * math.Pow(2, float64(exponent-15))
}

func halfAt(b []byte) float64 { return unhalf(binary.LittleEndian.Uint16(b)) }

// unpackQ4K is dequantize_row_q4_K of ggml-quants.c, get_scale_min_k4 included.
func unpackQ4K(b []byte) (all [blockLength]float64) {
	scale := func(j int) (d, m byte) {
		q := b[4:16]
		if j < 4 {
			return q[j] & 63, q[j+4] & 63
		}
		return q[j+4]&15 | q[j-4]>>6<<4, q[j+4]>>4 | q[j]>>6<<4
	}
	for j := range 8 {
		d, m := scale(j)
		for l := range 32 {
			q := b[16+j/2*32+l]
			if j%2 == 1 {
				q >>= 4
			}
			all[32*j+l] = halfAt(b)*float64(d)*float64(q&15) - halfAt(b[2:])*float64(m)
		}
	}
	return all
}

// unpackQ6K is dequantize_row_q6_K of ggml-quants.c.
func unpackQ6K(b []byte) (all [blockLength]float64) {
	for part := range 2 {
		ql, qh, scales := b[64*part:], b[128+32*part:], b[192+8*part:]
		for l := range 32 {
			q := []byte{ql[l]&15 | qh[l]&3<<4, ql[l+32]&15 | qh[l]>>2&3<<4, ql[l]>>4 | qh[l]>>4&3<<4, ql[l+32]>>4 | qh[l]>>6<<4}
			for n := range q {
				all[128*part+l+32*n] = halfAt(b[208:]) * float64(int8(scales[l/16+2*n])) * (float64(q[n]) - 32)
			}
		}
	}
	return all
}

func TestWeightsComeBackAsTheyWere(t *testing.T) {
	var l levels
	for i := range l {
		l[i] = byte(i * 37)
	}
	for _, most := range []float32{1, 0.02, 0.001, 64.0 / 5120} {
		four, six := unpackQ4K(l.packQ4K(most)), unpackQ6K(l.packQ6K(most))
		for i := range l {
			want := float64(most) * (float64(l[i])/127.5 - 1)
			assert.InDelta(t, want, four[i], 0.13*float64(most), "Q4_K, weight %d of %v", i, most)
			assert.InDelta(t, want, six[i], 0.05*float64(most), "Q6_K, weight %d of %v", i, most)
		}
	}
}

// Without what the layers add, the output is largest for the word that comes next.
func TestAWordIsFollowedByTheNext(t *testing.T) {
	v := newVocabulary()
	ids := map[string]int{}
	for i, token := range v.tokens {
		ids[token] = i
	}
	row := func(fill func(*levels)) (all []float64) {
		for range 2048 / blockLength {
			var l levels
			fill(&l)
			for _, level := range l {
				all = append(all, float64(level)/127.5-1)
			}
		}
		return all
	}
	output := make([][]float64, len(v.tokens))
	for id, before := range v.before {
		output[id] = row(signsOf(before))
	}
	order := walk()
	for i := range 20 {
		word, best, most := row(signsOf(ids[space+order[i]])), "", 0.0
		for id := range v.tokens {
			sum := 0.0
			for n, value := range output[id] {
				sum += value * word[n]
			}
			if sum > most {
				best, most = v.tokens[id], sum
			}
		}
		assert.Equal(t, space+order[i+1], best)
	}
}

func TestEveryWordIsOneToken(t *testing.T) {
	v := newVocabulary()
	seen := map[string]bool{}
	for _, token := range v.tokens {
		assert.False(t, seen[token], token)
		seen[token] = true
	}
	for _, word := range words() {
		for end := 1; end <= len(word); end++ {
			assert.True(t, seen[space+word[:end]], "what a word is merged from")
		}
	}
}

func TestText(t *testing.T) {
	text := NewText(1)
	prompt, says := text.New(40, 16)
	assert.Len(t, strings.Fields(prompt), 40)
	assert.Len(t, strings.Fields(says), 16)
	edit, kept := text.Edit(160, 60)
	assert.NotContains(t, kept, says, "no two have the same answer")
	different := 0
	for i, word := range strings.Fields(kept) {
		if strings.Fields(edit)[i] != word {
			different++
		}
	}
	assert.Equal(t, 3, different, "words 30, 90 and 150")
	again, _ := NewText(1).New(40, 16)
	assert.Equal(t, prompt, again)
	other, _ := NewText(2).New(40, 16)
	assert.NotEqual(t, prompt, other)
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, assert.AnError }

func TestWriteReportsAFullDisk(t *testing.T) {
	assert.ErrorIs(t, Write(full{}, small()[0], 1), assert.AnError)
}
