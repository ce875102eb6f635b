package provisioner

import (
	"fmt"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/catalogue"
)

// lookUpModel takes from the catalogue what the engine needs to know of the model. One that is not
// in it works too, if not as its maker recommends.
func (b *bake) lookUpModel() {
	id := b.config.Model.ID
	known, found := catalogue.Find(b.payload.model.SHA256, id)
	if found {
		b.sampling = known.Sampling
		return
	}
	b.sampling = appliance.NeutralSampling()
	b.say(fmt.Sprintf("WARNING: model.id: the catalogue of models has neither %s nor these weights, so it answers with llama.cpp's own sampling "+
		"(temperature %v, top_p %v), which its maker may not recommend: add internal/model/catalogue/%s.hcl (docs/models.md)",
		id, b.sampling.Temperature, b.sampling.TopP, id))
}
