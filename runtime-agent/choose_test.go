package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/gguftest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

// newVMWithTwo is a machine of an image with the models "large" and "small".
func newVMWithTwo(t *testing.T) *vm {
	t.Helper()
	v := newVM(t)
	v.put(appliance.BakedFile, `{"model_id": "large", "model_name": "Large", "sampling": {"temperature": 0.1}, "other_models": [
		{"model_id": "small", "model_name": "Small", "file": "small.gguf", "sampling": {"temperature": 0.6}}]}`)
	small := gguf.Tiny("small")
	small.ContextLength = 1024
	var content bytes.Buffer
	require.NoError(t, gguf.Write(&content, small))
	v.put(appliance.ModelsDir+"/small.gguf", content.String())
	return v
}

func (v *vm) weightsInUse() string {
	v.t.Helper()
	target, err := os.Readlink(filepath.Join(v.root, appliance.ModelConfigDir, appliance.ModelFile))
	require.NoError(v.t, err)
	return target
}

func TestAnotherModelIsAReload(t *testing.T) {
	v := newVMWithTwo(t)
	v.configure(nil)
	assert.Equal(t, modelFile, v.weightsInUse())
	_, stdout, _ := v.run("version")
	assert.Contains(t, stdout, "models:      large, small\n")

	v.configure(map[string]string{appliance.VarModel: "small"})
	assert.Equal(t, appliance.ModelsDir+"/small.gguf", v.weightsInUse())
	model := v.read(appliance.ModelConfigDir + "/model.yaml")
	assert.Contains(t, model, "name: \"small\"\n")
	assert.Contains(t, model, "temperature: 0.6\n")
	assert.Contains(t, model, "context_size: 1024\n", "the context is that of its own header")
	assert.Contains(t, v.read(appliance.GatewayConfigFile), `"model": "small"`)
	assert.Equal(t, []string{"restart " + appliance.LocalAIUnit, "restart " + appliance.GatewayUnit, restartBootstrap}, v.units.calls)
	present, err := status.Store{Root: v.root}.Load()
	require.NoError(t, err)
	assert.Equal(t, "small", present.Model)
	assert.Equal(t, "Small", present.Image.Model)

	v.configure(map[string]string{"ONEAPP_COPILOT_MODEL_NAME": ""})
	assert.Equal(t, modelFile, v.weightsInUse(), "an answer that is left empty is the first one")
}

func TestAModelThatIsNotInTheImage(t *testing.T) {
	v := newVMWithTwo(t)
	v.configure(map[string]string{appliance.VarModel: "small"})
	before := v.snapshot()
	context := v.context(map[string]string{appliance.VarModel: "huge", appliance.VarThreads: "many"})
	code, _, stderr := v.run("configure", "--context", context)
	assert.Equal(t, 1, code)
	const refused = `ONEAPP_COPILOT_MODEL: the appliance does not contain this model, got "huge". It contains: large, small`
	for _, text := range []string{stderr, v.read(appliance.ReportFile), v.read(appliance.MOTDFile)} {
		assert.Contains(t, text, refused[:80])
		assert.Contains(t, text, appliance.VarThreads, "all mistakes are listed")
	}
	assert.Contains(t, stderr, refused)
	assert.ElementsMatch(t, differing(before, v.snapshot()),
		[]string{"/mnt/context.sh", appliance.StatusFile, appliance.StatusJSON, appliance.MOTDFile, appliance.ReportFile},
		"the last one goes on")
	code, _, stderr = v.run("configure", "--dry-run", "--context", context)
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, refused)
}

// A model disk may be of another build than the image.
func TestAModelThatIsNotOnTheDisk(t *testing.T) {
	v := newVMWithTwo(t)
	v.configure(nil)
	require.NoError(t, os.Remove(filepath.Join(v.root, appliance.ModelsDir, "small.gguf")))
	code, _, stderr := v.run("configure", "--context", v.context(map[string]string{appliance.VarModel: "small"}))
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "ONEAPP_COPILOT_MODEL: the weights of small, /opt/local-ai/models/small.gguf, are not on the disk. Those of these models are: large")
	assert.Equal(t, modelFile, v.weightsInUse(), "the last one goes on")

	v.put(appliance.ModelsDir+"/small.gguf", v.read(modelFile))
	require.NoError(t, os.Remove(filepath.Join(v.root, modelFile)))
	code, _, stderr = v.run("configure", "--context", v.context(nil))
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "the weights of large, /opt/local-ai/models/model.gguf, are not on the disk. Those of these models are: small")
	code, _, stderr = v.run("check-model")
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "Those of these models are: small")
	require.NoError(t, os.Remove(filepath.Join(v.root, appliance.ModelsDir, "small.gguf")))
	v.put(modelFile, "")

	require.NoError(t, os.Remove(filepath.Join(v.root, modelFile)))
	code, _, stderr = v.run("configure", "--context", v.context(map[string]string{appliance.VarModel: "small"}))
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "the image is damaged", "without any there is nothing to choose from")
}

// A machine that serves goes on serving.
func TestAModelThatIsTooLargeForTheMachine(t *testing.T) {
	v := newVMWithTwo(t)
	require.NoError(t, os.Remove(filepath.Join(v.root, appliance.ModelsDir, "small.gguf")))
	require.NoError(t, gguftest.Published("qwen2.5-coder-7b").WriteSparse(filepath.Join(v.root, appliance.ModelsDir, "small.gguf")))
	v.configure(nil)
	served := []string{appliance.NginxSite, appliance.GatewayConfigFile, appliance.ModelConfigDir + "/model.yaml"}
	before := map[string]string{}
	for _, path := range served {
		before[path] = v.read(path)
	}
	code, _, stderr := v.run("configure", "--context", v.context(map[string]string{appliance.VarModel: "small"}))
	assert.Equal(t, 1, code)
	assert.Contains(t, stderr, "ONEAPP_COPILOT_MODEL: small: the model does not fit into the memory: it needs ")
	assert.Contains(t, stderr, "Set MEMORY of the virtual machine to ")
	for _, path := range served {
		assert.Equal(t, before[path], v.read(path), path)
	}
	assert.Equal(t, modelFile, v.weightsInUse())
	assert.Contains(t, v.read(appliance.StatusJSON), `"model": "large"`)
	assert.Empty(t, v.units.calls)
}

// What the engine loads counts, and not what a status says that may be damaged, or of another image.
func TestTheModelInForce(t *testing.T) {
	v := newVMWithTwo(t)
	a := newApp(v.root)
	current := func() string {
		baked, err := a.serving()
		require.NoError(t, err)
		return baked.ModelID
	}
	assert.Equal(t, "large", current(), "before the first context")
	v.configure(map[string]string{appliance.VarModel: "small"})
	v.put(appliance.StatusJSON, "{")
	assert.Equal(t, "small", current())
	v.put(appliance.BakedFile, `{"model_id": "another"}`)
	assert.Equal(t, "another", current(), "of an image that does not have it any more")
}

func TestCheckModelIsOfTheOneThatIsServed(t *testing.T) {
	v := newVMWithTwo(t)
	v.configure(map[string]string{appliance.VarModel: "small"})
	require.NoError(t, os.Remove(filepath.Join(v.root, modelFile)))
	code, _, out := v.run("check-model")
	assert.Equal(t, 0, code, out)
	require.NoError(t, os.Remove(filepath.Join(v.root, appliance.ModelsDir, "small.gguf")))
	code, _, out = v.run("check-model")
	assert.Equal(t, 1, code)
	assert.Contains(t, out, "small.gguf cannot be used")
}
