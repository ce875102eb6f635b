package appliance

// Sampling is how the engine chooses the next token where a request does not say it.
type Sampling struct {
	Temperature float64 `json:"temperature"`
	TopP        float64 `json:"top_p"`
	// TopK is -1 for every token.
	TopK          int     `json:"top_k"`
	MinP          float64 `json:"min_p"`
	RepeatPenalty float64 `json:"repeat_penalty"`
}

// NeutralSampling returns llama.cpp's own defaults (common_params_sampling in its common.h), for
// a model whose maker's recommendation is not known.
func NeutralSampling() Sampling {
	return Sampling{Temperature: 0.8, TopP: 0.95, TopK: 40, MinP: 0.05, RepeatPenalty: 1}
}

// EngineSampling returns the sampling of the model; NeutralSampling if the image was made before that
// was recorded.
func (m BakedModel) EngineSampling() Sampling {
	if m.Sampling == (Sampling{}) {
		return NeutralSampling()
	}
	return m.Sampling
}
