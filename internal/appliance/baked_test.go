package appliance

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func threeModels() Baked {
	return Baked{
		BakedModel: BakedModel{ModelID: "large"}, ApplianceVersion: "1.0.0",
		Others: []BakedModel{{ModelID: "small", File: "small.gguf"}, {ModelID: "tiny", File: "tiny.gguf"}},
	}
}

func TestServing(t *testing.T) {
	for _, id := range []string{"", "large"} {
		served, err := threeModels().Serving(id)
		require.NoError(t, err)
		assert.Equal(t, threeModels(), served)
		assert.Equal(t, "/opt/local-ai/models/model.gguf", served.WeightsFile())
	}
	served, err := threeModels().Serving("tiny")
	require.NoError(t, err)
	assert.Equal(t, []string{"tiny", "small", "large"}, served.ModelIDs(), "none is lost")
	assert.Equal(t, "/opt/local-ai/models/tiny.gguf", served.WeightsFile())
	assert.Equal(t, "1.0.0", served.ApplianceVersion)

	_, err = threeModels().Serving("huge")
	assert.EqualError(t, err, `ONEAPP_COPILOT_MODEL: the appliance does not contain this model, got "huge". It contains: large, small, tiny`)
}

func TestModelsOfOlderImages(t *testing.T) {
	var baked Baked
	require.NoError(t, json.Unmarshal([]byte(`{"model_id": "large", "model_name": "Large", "quantization": "Q4_K_M", "memory_mib": 1}`), &baked))
	assert.Equal(t, Baked{BakedModel: BakedModel{ModelID: "large", ModelName: "Large", Quantization: "Q4_K_M", MemoryMiB: 1}}, baked)
}

func TestProducts(t *testing.T) {
	baked := Baked{BakedModel: BakedModel{ModelID: "devstral-small-2", Quantization: "Q4_K_M"}, LocalAIVersion: "v4.9.0", ApplianceVersion: "1.0.0"}
	assert.Equal(t, "slm-copilot/1.0.0 LocalAI/v4.9.0 devstral-small-2/Q4_K_M", baked.Products())
	baked.Quantization, baked.LocalAIVersion = "Q4 (K; M)\r\nX: y", ""
	assert.Equal(t, "slm-copilot/1.0.0 LocalAI/unknown devstral-small-2/Q4--K--M---X--y", baked.Products(), "a header stays one")
}

func TestEngineSampling(t *testing.T) {
	assert.Equal(t, NeutralSampling(), BakedModel{}.EngineSampling(), "an image made before it was recorded")
	greedy := Sampling{TopP: 1, TopK: -1, RepeatPenalty: 1}
	assert.Equal(t, greedy, BakedModel{Sampling: greedy}.EngineSampling())
}
