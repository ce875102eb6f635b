package weights

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
)

const (
	embedding = "it is an embedding model, which turns text into vectors and does not write"
	projector = "it is a projector, which only reads images or sound for a model"
	draft     = "it is a draft model, which only helps another one"
	diffusion = "it writes by diffusion, which llama.cpp's server cannot do"
	speech    = "it makes sound, not text"
)

// architectures llama.cpp knows, but cannot answer a chat with.
//
// Source: llama-arch.cpp and create_memory in llama-model.cpp of llama.cpp v0.4.0.
var architectures = map[string]string{
	"bert": embedding, "eurobert": embedding, "gemma-embedding": embedding, "jina-bert-v2": embedding,
	"jina-bert-v3": embedding, "llama-embed": embedding, "modern-bert": embedding, "neo-bert": embedding,
	"nomic-bert": embedding, "nomic-bert-moe": embedding, "t5encoder": embedding,
	"clip": projector, "mmproj": projector,
	"dflash": draft, "eagle3": draft, "gemma4-assistant": draft,
	"dream": diffusion, "llada": diffusion, "llada-moe": diffusion, "rnd1": diffusion,
	"pockettts": speech, "qwen3tts": speech, "wavtokenizer-dec": speech,
	"t5": "it is an encoder with a decoder, which llama.cpp's server cannot run",
}

// fileTypes are the values of general.type for files that are not models.
//
// Source: GGUFType in llama.cpp's gguf-py/gguf/constants.py.
var fileTypes = map[string]string{
	"adapter": `it is an adapter (LoRA), which only changes a model: merge it into its model with "llama-export-lora"`,
	"imatrix": "it is an importance matrix, which llama-quantize uses",
	"mmproj":  projector,
}

// unsuitable returns why a whole file cannot be served, or "".
func unsuitable(h gguf.Header) string {
	if reason := architectures[h.Architecture]; reason != "" {
		return fmt.Sprintf("%s (general.architecture is %s)", reason, h.Architecture)
	}
	if reason := fileTypes[h.Type]; reason != "" {
		return reason
	}
	// Those made of language models have the architecture of these. 0 is LLAMA_POOLING_TYPE_NONE.
	if pooling := h.Numbers["pooling_type"]; pooling > 0 {
		return fmt.Sprintf("%s (%s.pooling_type is %d)", embedding, h.Architecture, pooling)
	}
	if causal, present := h.Numbers["attention.causal"]; present && causal == 0 {
		return fmt.Sprintf("%s (%s.attention.causal is false)", embedding, h.Architecture)
	}
	if keys := missing(h); keys != "" {
		return fmt.Sprintf("the metadata lacks %s, so this is not a language model llama.cpp can run", keys)
	}
	if len(h.Tensors) == 0 {
		return "it contains no weights, only a vocabulary"
	}
	return ""
}
