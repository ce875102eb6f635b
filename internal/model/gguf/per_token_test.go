package gguf

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBytesPerToken(t *testing.T) {
	embeddings, output := Tensor{Name: "token_embd.weight", Size: 1000}, Tensor{Name: "output.weight", Size: 1100}
	layer := []Tensor{{Name: "blk.0.attn_q.weight", Size: 50}, {Name: "blk.0.ffn_up_shexp.weight", Size: 7}}
	experts := Tensor{Name: "blk.0.ffn_up_exps.weight", Size: 12800}
	mixture := map[string]uint64{"expert_count": 128, "expert_used_count": 8}
	for name, tt := range map[string]struct {
		header Header
		want   uint64
	}{
		"dense":                     {Header{Tensors: append([]Tensor{embeddings, output}, layer...)}, 1157},
		"embeddings are the output": {Header{Tensors: append([]Tensor{embeddings}, layer...)}, 1057},
		"a mixture":                 {Header{Numbers: mixture, Tensors: append([]Tensor{embeddings, output, experts}, layer...)}, 1957},
		"experts, and no word of how many are used": {Header{Tensors: []Tensor{output, experts}}, 13900},
		"embeddings of each layer":                  {Header{Tensors: []Tensor{output, {Name: "per_layer_token_embd.weight", Size: 9000}}}, 1100},
		"nothing":                                   {Header{}, 0},
	} {
		assert.Equal(t, tt.want, tt.header.BytesPerToken(), name)
	}
}
