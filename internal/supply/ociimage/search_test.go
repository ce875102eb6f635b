package ociimage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// listedImage is one entry of an index.
type listedImage struct {
	add      mutate.Appendable
	platform *v1.Platform
}

func indexOf(entries ...listedImage) v1.ImageIndex {
	var index v1.ImageIndex = empty.Index
	for _, e := range entries {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: e.add, Descriptor: v1.Descriptor{Platform: e.platform}})
	}
	return index
}

func (s *stand) pushAny(t *testing.T, index v1.ImageIndex) {
	tag, err := name.NewTag(strings.TrimPrefix(s.source(), scheme))
	require.NoError(t, err)
	require.NoError(t, remote.WriteIndex(tag, index))
}

func TestIndexWithoutPlatforms(t *testing.T) {
	amd, arm := anImage(t, "amd64", archive(file("run.sh", "amd"))), anImage(t, "arm64", archive(file("run.sh", "arm")))
	artifact := mutate.ConfigMediaType(anImage(t, "", archive(file("sig", ""))), "application/vnd.dev.cosign.artifact.sig.v1+json")
	unnamed := anImage(t, "", archive(file("attestation", "")))
	uname := anImage(t, "x86_64", archive(file("run.sh", "uname")))
	linux := func(arch, variant string) *v1.Platform {
		return &v1.Platform{OS: "linux", Architecture: arch, Variant: variant}
	}
	deep := indexOf(listedImage{amd, nil})
	for range maxDepth {
		deep = indexOf(listedImage{deep, nil})
	}
	var many []listedImage
	for i := range maxUnnamed + 1 {
		many = append(many, listedImage{anImage(t, "arm64", archive(file("run.sh", fmt.Sprint(i)))), nil})
	}
	written, err := indexOf(listedImage{amd, nil}).IndexManifest()
	require.NoError(t, err)
	require.Nil(t, written.Manifests[0].Platform, "the library writes what it is told, and no more")
	for name, tt := range map[string]struct {
		index     v1.ImageIndex
		want, err string
	}{
		"one image":                       {indexOf(listedImage{amd, nil}), "amd", ""},
		"several":                         {indexOf(listedImage{arm, nil}, listedImage{artifact, nil}, listedImage{unnamed, nil}, listedImage{amd, nil}), "amd", ""},
		"an empty platform":               {indexOf(listedImage{arm, &v1.Platform{}}, listedImage{amd, &v1.Platform{}}), "amd", ""},
		"an architecture alone":           {indexOf(listedImage{arm, &v1.Platform{Architecture: "arm64"}}, listedImage{amd, &v1.Platform{Architecture: "amd64"}}), "amd", ""},
		"the spelling of uname":           {indexOf(listedImage{arm, nil}, listedImage{uname, nil}), "uname", ""},
		"what is said goes first":         {indexOf(listedImage{uname, nil}, listedImage{amd, linux("amd64", "")}), "amd", ""},
		"others are said":                 {indexOf(listedImage{arm, linux("arm64", "")}, listedImage{amd, nil}), "amd", ""},
		"the most basic variant":          {indexOf(listedImage{uname, linux("amd64", "v3")}, listedImage{amd, linux("amd64", "")}), "amd", ""},
		"an index in an index":            {indexOf(listedImage{indexOf(listedImage{arm, linux("arm64", "")}, listedImage{amd, linux("amd64", "")}), nil}), "amd", ""},
		"a named index in an index":       {indexOf(listedImage{indexOf(listedImage{amd, nil}), linux("amd64", "")}), "amd", ""},
		"two for one architecture":        {indexOf(listedImage{amd, linux("amd64", "")}, listedImage{uname, linux("amd64", "")}), "", "has several images for linux/amd64: use one that has the backend alone"},
		"one that is listed twice":        {indexOf(listedImage{amd, linux("amd64", "")}, listedImage{amd, linux("amd64", "")}), "amd", ""},
		"none of them":                    {indexOf(listedImage{arm, nil}, listedImage{artifact, nil}), "", "has no image for linux/amd64, only for: linux/arm64"},
		"nothing":                         {indexOf(), "", "has no image for linux/amd64, only for: nothing"},
		"indexes without an end":          {deep, "", "has more than 4 indexes within each other"},
		"more images than anybody builds": {indexOf(many...), "", "has more than 64 images of which it does not say what they are for"},
		"said to be what it is not":       {indexOf(listedImage{arm, linux("amd64", "")}), "", "is for linux/arm64, and linux/amd64 is wanted"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newStand(t)
			s.pushAny(t, tt.index)
			p, _ := newPuller(t)
			image, err := p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Arch: "amd64"})
			if tt.err != "" {
				require.EqualError(t, err, "backend.source: "+s.source()+": "+tt.err)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{"0 644 run.sh " + tt.want}, content(t, image))
			digest, err := tt.index.Digest()
			require.NoError(t, err)
			assert.Equal(t, digest.String(), image.Digest(), "the index is what is pinned")
		})
	}
}

func TestAnArtifactIsNoImage(t *testing.T) {
	s := newStand(t)
	s.push(t, mutate.ConfigMediaType(anImage(t, "", archive(file("sig", ""))), "application/vnd.oci.empty.v1+json"))
	p, _ := newPuller(t)
	_, err := p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Arch: "amd64"})
	assert.EqualError(t, err, "backend.source: "+s.source()+": is an artifact, not an image")
}

func TestImagesThatDockerWrites(t *testing.T) {
	s := newStand(t)
	image := mutate.ConfigMediaType(mutate.MediaType(anImage(t, "amd64", archive(file("run.sh", "x"))), types.DockerManifestSchema2), types.DockerConfigJSON)
	s.push(t, image)
	p, _ := newPuller(t)
	pulled, err := p.Pull(t.Context(), Request{Field: "backend", Source: s.source(), Arch: "amd64"})
	require.NoError(t, err)
	assert.Equal(t, []string{"0 644 run.sh x"}, content(t, pulled))
}
