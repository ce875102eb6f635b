package provisioner

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/catalogue"
)

// sampling takes from the catalogue what the engine needs to know of a model. One that is not
// in it works too, if not as its maker recommends.
func (b *bake) sampling(m *bakedModel) appliance.Sampling {
	known, found := catalogue.Find(m.file.SHA256, m.ID)
	if found {
		return known.Sampling
	}
	neutral := appliance.NeutralSampling()
	b.say(fmt.Sprintf("WARNING: %s.id: the catalogue of models has neither %s nor these weights, so it answers with llama.cpp's own sampling "+
		"(temperature %v, top_p %v), which its maker may not recommend: add internal/model/catalogue/%s.hcl (docs/models.md)",
		m.field, m.ID, neutral.Temperature, neutral.TopP, m.ID))
	return neutral
}
