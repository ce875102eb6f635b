package builder

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

const gibibyte = 1 << 30

func TestSpaceForTheDisk(t *testing.T) {
	tests := map[string]struct {
		need spaceNeed
		size int64
		want string
	}{
		"the model fits":      {spaceNeed{base: 2 * gibibyte, weights: 14 * gibibyte}, 18 * gibibyte, ""},
		"the model does not":  {spaceNeed{base: 2 * gibibyte, weights: 14 * gibibyte}, 18*gibibyte - 1, "disk_size: 17G is too small: the model takes 14.0 GiB, the base image 2.0 GiB, and the system grows by up to 2.0 GiB; set it to at least \"18G\""},
		"on its own disk":     {spaceNeed{base: 2 * gibibyte, weights: 14 * gibibyte, ownDisk: true}, 4 * gibibyte, ""},
		"weights not known":   {spaceNeed{base: 2 * gibibyte}, 3 * gibibyte, ""},
		"rounded up in words": {spaceNeed{base: 2*gibibyte + 1, weights: 14 * gibibyte}, 18 * gibibyte, "at least \"19G\""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.need.checkDisk(test.size, "17G")
			if test.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.want)
			}
		})
	}
}

func TestSpaceOnTheHost(t *testing.T) {
	tests := map[string]struct {
		need spaceNeed
		host int64
		note string
	}{
		"no model":    {spaceNeed{base: 1 * gibibyte}, 6 * gibibyte, "3.0 GiB, the model not counted: the builder does not know it"},
		"copied":      {spaceNeed{base: 1 * gibibyte, weights: 14 * gibibyte}, 34 * gibibyte, "17.0 GiB, the model among it, 14.0 GiB"},
		"large disk":  {spaceNeed{base: 1 * gibibyte, weights: 14 * gibibyte, ownDisk: true}, 28 * gibibyte, "3.0 GiB, besides the model disk, 14.0 GiB"},
		"little disk": {spaceNeed{base: 1 * gibibyte, weights: 1 * gibibyte, ownDisk: true}, 7 * gibibyte, "3.0 GiB, besides the model disk, 1.0 GiB"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.NoError(t, test.need.checkHost(test.host, "out"))
			err := test.need.checkHost(test.host-1, "out")
			assert.ErrorContains(t, err, "output_directory: the file system of out has ")
			assert.ErrorContains(t, err, test.note)
		})
	}
}
