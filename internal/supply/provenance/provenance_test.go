package provenance

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	slsa "github.com/in-toto/attestation/go/predicates/provenance/v1"
	intoto "github.com/in-toto/attestation/go/v1"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/goldentest"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/lockfile"
)

func example() Build {
	return Build{
		Subjects: []Subject{
			{"slm-copilot-1.0.0-x86_64.qcow2", strings.Repeat("a", 64)},
			{"slm-copilot-model-0123456789ab.qcow2", strings.Repeat("b", 64)},
		},
		Inputs: []lockfile.Input{
			{
				Kind: lockfile.KindBaseImage, Name: "debian-12", Arch: "amd64", Digest: "sha256:" + strings.Repeat("1", 64),
				Source: "https://user:secret@example.org/debian-12.qcow2?token=secret",
			},
			{
				Kind: lockfile.KindBackend, Name: "llama-cpp", Version: "v4.9.0", Digest: "sha256:" + strings.Repeat("2", 64),
				Source: "oci://quay.io/go-skynet/local-ai-backends:v4.9.0-cpu-llama-cpp",
			},
			{Kind: lockfile.KindModel, Name: "/srv/model.gguf", Source: "/srv/model.gguf", Digest: "sha256:" + strings.Repeat("3", 64)},
			{Kind: lockfile.KindLocalAI, Name: "local-ai", Source: "https://example.org/local-ai"},
		},
		BuilderVersion: "0.1.0",
		ID:             "01e8cf64-0000-4000-8000-000000000000",
		Started:        time.Date(2026, 11, 23, 4, 5, 6, 7, time.FixedZone("", 3600)),
		Finished:       time.Date(2026, 11, 23, 4, 15, 6, 7, time.FixedZone("", 3600)),
		Parameters: map[string]string{
			"image_name": "slm-copilot", "disk_size": "40G", "lock_file": "/srv/slm-copilot.lock.hcl",
			"base_image": "https://user:secret@example.org/debian-12.qcow2?token=secret",
		},
	}
}

func encode(t *testing.T) string {
	t.Helper()
	text, err := example().Encode()
	require.NoError(t, err)
	return string(text)
}

func TestStatement(t *testing.T) {
	path := filepath.Join("testdata", "image.intoto.json")
	text := encode(t)
	goldentest.Equal(t, path, text)
	assert.NotContains(t, text, "secret")
	assert.NotContains(t, text, "/srv/")
}

// The types and validators of the in-toto project, which refuse a field they do not know.
func TestStatementIsInTotoAndSLSA(t *testing.T) {
	var statement intoto.Statement
	require.NoError(t, protojson.Unmarshal([]byte(encode(t)), &statement))
	require.NoError(t, statement.Validate())
	assert.Equal(t, "https://slsa.dev/provenance/v1", statement.GetPredicateType())
	assert.Equal(t, strings.Repeat("a", 64), statement.GetSubject()[0].GetDigest()["sha256"])

	text, err := protojson.Marshal(statement.GetPredicate())
	require.NoError(t, err)
	var predicate slsa.Provenance
	require.NoError(t, protojson.Unmarshal(text, &predicate))
	require.NoError(t, predicate.Validate())
	definition, run := predicate.GetBuildDefinition(), predicate.GetRunDetails()
	assert.Equal(t, BuildType, definition.GetBuildType())
	assert.Equal(t, "40G", definition.GetExternalParameters().AsMap()["disk_size"])
	assert.Equal(t, example().Started.Truncate(time.Second).UTC(), run.GetMetadata().GetStartedOn().AsTime())
	assert.Equal(t, example().Finished.Truncate(time.Second).UTC(), run.GetMetadata().GetFinishedOn().AsTime())

	inputs := definition.GetResolvedDependencies()
	require.Len(t, inputs, len(example().Inputs))
	assert.Equal(t, "https://example.org/debian-12.qcow2", inputs[0].GetUri())
	assert.Equal(t, strings.Repeat("1", 64), inputs[0].GetDigest()["sha256"])
	assert.Equal(t, "pkg:oci/local-ai-backends@sha256:"+strings.Repeat("2", 64)+
		"?repository_url=quay.io/go-skynet/local-ai-backends&tag=v4.9.0-cpu-llama-cpp", inputs[1].GetUri())
	assert.Empty(t, inputs[2].GetUri(), "a path of the build host says nothing to others")
	assert.Empty(t, inputs[3].GetDigest())
}

// docs/image.md explains the build type, where its URI leads.
func TestBuildTypeIsDocumented(t *testing.T) {
	_, anchor, found := strings.Cut(BuildType, "/docs/image.md#")
	require.True(t, found)
	text, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "image.md"))
	require.NoError(t, err)
	assert.Contains(t, strings.ReplaceAll(strings.ToLower(string(text)), " ", "-"), "#-"+anchor+"\n")
}

func TestEveryMistakeIsListed(t *testing.T) {
	_, err := Build{
		Subjects: []Subject{{"", strings.Repeat("A", 64)}},
		Inputs:   []lockfile.Input{{}, {Kind: lockfile.KindModel, Name: "model", Digest: "md5:x"}},
		Started:  time.Unix(2, 0), Finished: time.Unix(1, 0),
	}.Encode()
	require.Error(t, err)
	for _, want := range []string{
		"a finished file has no name", "AAA\" is not a SHA-256", "an input has no name or kind", `model: "md5:x" is not a digest`,
		"version of the builder", "id of the build", "finished before it was started", "it names no parameter",
	} {
		assert.ErrorContains(t, err, want)
	}
	_, err = Build{}.Encode()
	assert.ErrorContains(t, err, "it names no finished file")
	assert.ErrorContains(t, err, "or the time is missing")
}
