package synthetic

import "fmt"

// Shape has the numbers of a model's layer.
type Shape struct {
	// Name is that of the model in the catalogue of internal/model.
	Name         string
	architecture string
	width        int
	heads        int
	headsKV      int
	headLength   int
	forward      int
	// experts and used are 0 in a dense model; forward is then that of one expert.
	experts, used int
}

// Shapes are those of the models that the appliances bake, from their config.json: Devstral Small 2 24B and
// Qwen3 Coder 30B A3B.
var Shapes = []Shape{
	{Name: "devstral-small-2", architecture: "llama", width: 5120, heads: 32, headsKV: 8, headLength: 128, forward: 32768},
	{Name: "qwen3-coder-30b-a3b", architecture: "qwen3moe", width: 2048, heads: 32, headsKV: 4, headLength: 128, forward: 768, experts: 128, used: 8},
}

// tensorKind is how a tensor is stored, numbered as in the file.
type tensorKind uint32

const (
	f32 tensorKind = 0
	q4K tensorKind = 12
	q6K tensorKind = 14
)

// content is what stands in a tensor.
type content int

const (
	ones content = iota
	noise
	// embeddings are rows of signs, another one for each token; following are those of the token that the row's
	// token comes after.
	embeddings
	following
)

type tensor struct {
	name string
	kind tensorKind
	// dimensions begin with the length of a row.
	dimensions []int
	content    content
	// most is the largest weight, and the other end of the range is its negative.
	most float32
}

// Weights of one size keep activations near 1, and the last two of a layer are so small that what a token leaves behind
// drowns what the layers add.
const (
	inner = 0.02
	outer = 0.001
)

// tensors returns those of a model, stored as Q4_K_M stores them: half of the values and of the last matrices have
// six bits, and the output has.
func (s Shape) tensors(layers, vocabulary int) []tensor {
	all := []tensor{{"token_embd.weight", q4K, []int{s.width, vocabulary}, embeddings, 1}}
	for i := range layers {
		better := q4K
		if i%2 == 0 {
			better = q6K
		}
		for _, t := range s.layer(better) {
			t.name = fmt.Sprintf("blk.%d.%s.weight", i, t.name)
			all = append(all, t)
		}
	}
	return append(all, tensor{"output_norm.weight", f32, []int{s.width}, ones, 1},
		tensor{"output.weight", q6K, []int{s.width, vocabulary}, following, 64 / float32(s.width)})
}

func (s Shape) layer(better tensorKind) []tensor {
	all, few := s.heads*s.headLength, s.headsKV*s.headLength
	layer := []tensor{
		{"attn_norm", f32, []int{s.width}, ones, 1},
		{"attn_q", q4K, []int{s.width, all}, noise, inner},
		{"attn_k", q4K, []int{s.width, few}, noise, inner},
		{"attn_v", better, []int{s.width, few}, noise, inner},
		{"attn_output", q4K, []int{all, s.width}, noise, outer},
		{"ffn_norm", f32, []int{s.width}, ones, 1},
	}
	if s.experts == 0 {
		return append(layer,
			tensor{"ffn_gate", q4K, []int{s.width, s.forward}, noise, inner},
			tensor{"ffn_up", q4K, []int{s.width, s.forward}, noise, inner},
			tensor{"ffn_down", better, []int{s.forward, s.width}, noise, outer})
	}
	return append(layer,
		tensor{"attn_q_norm", f32, []int{s.headLength}, ones, 1},
		tensor{"attn_k_norm", f32, []int{s.headLength}, ones, 1},
		tensor{"ffn_gate_inp", f32, []int{s.width, s.experts}, noise, 0.05},
		tensor{"ffn_gate_exps", q4K, []int{s.width, s.forward, s.experts}, noise, inner},
		tensor{"ffn_up_exps", q4K, []int{s.width, s.forward, s.experts}, noise, inner},
		tensor{"ffn_down_exps", better, []int{s.forward, s.width, s.experts}, noise, outer})
}
