package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	good = "../../internal/publish/lint/testdata/good/template.txt"
	list = "../../internal/publish/lint/testdata/good/list.json"
	bad  = "../../internal/publish/lint/testdata/bad/nic-template.txt"
)

func TestRun(t *testing.T) {
	for name, tt := range map[string]struct {
		files     []string
		status    int
		out, errs string
	}{
		"nothing":         {nil, 2, "", "lint-app: name a file\nsee lint-app -h\n"},
		"help":            {[]string{"-h"}, 0, "usage: lint-app FILE...", ""},
		"good":            {[]string{good}, 0, "no mistakes in " + good + "; looked at: apps 0, VM templates 1, user inputs 4\n", ""},
		"a list":          {[]string{list}, 0, "; looked at: apps 6, VM templates 1, user inputs 0\n", ""},
		"bad":             {[]string{good, bad}, 1, bad + ":25: nic: a NIC is in the template", ""},
		"missing":         {[]string{"none.yaml"}, 2, "", "none.yaml: no such file"},
		"a directory":     {[]string{"..", bad}, 2, bad + ":25: nic: ", "is a directory"},
		"missing and bad": {[]string{"none.yaml", bad}, 2, bad + ":25: nic: ", "none.yaml: no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errs bytes.Buffer
			assert.Equal(t, tt.status, run(tt.files, &out, &errs))
			assert.Contains(t, out.String(), tt.out)
			assert.Contains(t, errs.String(), tt.errs)
			if tt.out == "" {
				assert.Empty(t, strings.TrimSpace(out.String()))
			}
		})
	}
}
