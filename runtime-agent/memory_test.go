package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/status"
)

func TestAContextThatDoesNotFitIsReducedWithAWarning(t *testing.T) {
	v := newVM(t)
	v.facts.Memory = 448 << 20
	v.facts.Processor.NoAVX2 = true
	wanted := map[string]string{appliance.VarContextSize: "131072", appliance.VarThreads: "5"}
	v.configure(wanted)

	present, err := status.Store{Root: v.root}.Load()
	require.NoError(t, err)
	assert.Less(t, present.ContextSize, 32768)
	assert.GreaterOrEqual(t, present.ContextSize, 512)
	log := v.read(appliance.LogFile)
	require.Len(t, present.Warnings, 5)
	for i, part := range []string{"the model was made for no more", "in place of 32768", "prompt cache", "host-passthrough", "5 threads on 4 processors"} {
		assert.Contains(t, present.Warnings[i], part)
		assert.Contains(t, log, present.Warnings[i])
	}
	assert.Contains(t, log, " WARN ")

	before := v.snapshot()
	v.configure(wanted)
	assert.Equal(t, before, v.snapshot(), "the same memory gives the same files")
	assert.Empty(t, v.units.calls)

	v.facts.Memory, v.facts.Processor.NoAVX2 = 2<<30, false
	v.configure(nil)
	present, err = status.Store{Root: v.root}.Load()
	require.NoError(t, err)
	assert.Equal(t, 32768, present.ContextSize)
	assert.Empty(t, present.Warnings)
}

// A model that cannot work is refused like a setting: nothing starts with it, and nginx says
// where to look.
func TestAModelThatCannotWorkIsRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		spoil  func(*vm)
		reason string
	}{
		"none": {func(v *vm) { require.NoError(t, os.Remove(filepath.Join(v.root, modelFile))) }, "the file does not exist"},
		"no disk": {func(v *vm) {
			v.put(appliance.BakedFile, strings.Replace(v.read(appliance.BakedFile), "{", `{"model_disk": true,`, 1))
			require.NoError(t, os.Remove(filepath.Join(v.root, modelFile)))
		}, "the model disk, labelled slm-model, is missing: attach it to the virtual machine and restart the machine"},
		"damaged": {func(v *vm) { v.put(modelFile, "GGUF") }, "truncated"},
		"too big": {func(v *vm) { v.facts.Memory = 256 << 20 }, "the model does not fit into the memory"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVM(t)
			memory, model := v.facts.Memory, v.read(modelFile)
			tt.spoil(v)
			code, _, stderr := v.run("configure")
			assert.Equal(t, 1, code)
			assert.Contains(t, stderr, tt.reason)
			present, err := status.Store{Root: v.root}.Load()
			require.NoError(t, err)
			assert.Equal(t, appliance.ConfigureFailure, present.Stage)
			require.Len(t, present.Mistakes, 1)
			assert.Contains(t, present.Mistakes[0], tt.reason)
			assert.NoFileExists(t, filepath.Join(v.root, appliance.LocalAIEnvFile))
			assert.Contains(t, v.read(appliance.NginxSite), "503")

			code, _, stderr = v.run("configure", "--context", v.context(map[string]string{appliance.VarThreads: "many"}))
			assert.Equal(t, 1, code)
			assert.Contains(t, stderr, appliance.VarThreads)
			assert.Contains(t, stderr, tt.reason, "all that is wrong, at once")

			v.facts.Memory = memory
			v.put(modelFile, model)
			v.configure(nil)
			assert.FileExists(t, filepath.Join(v.root, appliance.LocalAIEnvFile))
		})
	}
}
