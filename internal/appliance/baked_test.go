package appliance

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestProducts(t *testing.T) {
	baked := Baked{ModelID: "devstral-small-2", Quantization: "Q4_K_M", LocalAIVersion: "v4.9.0", ApplianceVersion: "1.0.0"}
	assert.Equal(t, "slm-copilot/1.0.0 LocalAI/v4.9.0 devstral-small-2/Q4_K_M", baked.Products())
	baked.Quantization, baked.LocalAIVersion = "Q4 (K; M)\r\nX: y", ""
	assert.Equal(t, "slm-copilot/1.0.0 LocalAI/unknown devstral-small-2/Q4--K--M---X--y", baked.Products(), "a header stays one")
}

func TestEngineSampling(t *testing.T) {
	assert.Equal(t, NeutralSampling(), Baked{}.EngineSampling(), "an image made before it was recorded")
	greedy := Sampling{TopP: 1, TopK: -1, RepeatPenalty: 1}
	assert.Equal(t, greedy, Baked{Sampling: greedy}.EngineSampling())
}
