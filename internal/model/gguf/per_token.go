package gguf

import "strings"

const (
	keyExperts     = "expert_count"
	keyExpertsUsed = "expert_used_count"
)

// BytesPerToken returns how many bytes of weights are read to compute one token: all of them, but for
// the embeddings, of which one row is read, and of the experts of a mixture those that are used. Embeddings
// that serve as output matrix, too, are read whole.
func (h Header) BytesPerToken() uint64 {
	experts, used := h.Numbers[keyExperts], h.Numbers[keyExpertsUsed]
	var all, embeddings uint64
	hasOutput := false
	for _, tensor := range h.Tensors {
		switch {
		case tensor.Name == "per_layer_token_embd.weight": // a row of it, too
		case tensor.Name == "token_embd.weight":
			embeddings = tensor.Size
		case tensor.Name == "output.weight":
			hasOutput = true
			all += tensor.Size
		case isOfExperts(tensor.Name) && used > 0 && used < experts:
			all += tensor.Size / experts * used
		default:
			all += tensor.Size
		}
	}
	if !hasOutput {
		all += embeddings
	}
	return all
}

// isOfExperts reports whether a tensor holds all experts of a layer, one after the other
// ("blk.3.ffn_up_exps.weight"). Those that are always used have another name ("_shexp").
func isOfExperts(name string) bool { return strings.Contains(name, "_exps.") }
