package app

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestVersionsBeyond(t *testing.T) {
	published := []string{"1.0.0", "1.1.0", "2.0.0", "0.9.0"}
	for keep, want := range map[int][]string{
		0: nil,
		1: {"2.0.0", "1.1.0", "1.0.0", "0.9.0"},
		2: {"1.1.0", "1.0.0", "0.9.0"},
		4: {"0.9.0"},
		5: {},
		9: {},
	} {
		assert.Equal(t, want, VersionsBeyond(published, "3.0.0", keep), "keep %d", keep)
	}
	assert.Empty(t, VersionsBeyond(nil, "1.0.0", 1))
}

func TestAnOldVersionPublishedAgainPushesOutNoNewerOne(t *testing.T) {
	for keep, want := range map[int][]string{
		1: {"1.1.0", "0.9.0"},
		2: {"0.9.0"},
		3: {"0.9.0"},
		4: {},
	} {
		assert.Equal(t, want, VersionsBeyond([]string{"1.1.0", "0.9.0", "2.0.0"}, "1.0.0", keep), "keep %d", keep)
	}
}

func TestCompareVersions(t *testing.T) {
	ascending := []string{
		"nightly", "0.9.0", "v0.9.5", "1.0.0~1", "1.0.0-alpha", "1.0.0-rc1", "1.0.0-rc2", "1.0.0-rc10", "1.0.0", "1.0.0+fix1", "1.0.0+fix2", "1.0.0-0-20261122", "1.0.0-0-20261201", "1.0.0-1-20261122",
		"1.0.1", "1.2", "1.2.0", "1.9.0", "1.10.0~beta1", "1.10.0", "2.0", "10.0", "20261122", "99999999999999999999", "100000000000000000000",
	}
	shuffled := slices.Clone(ascending)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	slices.SortFunc(shuffled, CompareVersions)
	assert.Equal(t, ascending, shuffled)
	assert.Zero(t, CompareVersions("1.0.0", "1.0.0"))
	assert.NotZero(t, CompareVersions("1.0.0", "1.00.0"), "they are two versions")
}

func FuzzCompareVersions(f *testing.F) {
	f.Add("1.0.0-rc1", "1.0.0", "1.0.0-0-20261122")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		assert.Equal(t, CompareVersions(a, b), -CompareVersions(b, a))
		if CompareVersions(a, b) < 0 && CompareVersions(b, c) < 0 {
			assert.Negative(t, CompareVersions(a, c))
		}
	})
}
