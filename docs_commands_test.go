package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	// commandBlock is a block of commands with the line before it, which says what runs it,
	// or what a reader needs for it that tests do not have:
	//
	//	<!-- run by: DIRECTORY TEST -->
	//	<!-- run by: SCRIPT -->
	//	<!-- needs: WHAT -->
	commandBlock = regexp.MustCompile("(?ms)^([^\n]*)\n *```sh\n(.*?)^ *```$")
	otherShell   = regexp.MustCompile("(?m)^ *```(bash|shell|console)$")
	runBy        = regexp.MustCompile(`^ *<!-- run by: (\S+)(?: (Test\w+))? -->$`)
	needs        = regexp.MustCompile(`^ *<!-- needs: .+ -->$`)
	makeTarget   = regexp.MustCompile("(?:`|&& )make ([a-z][a-z-]*)")
	makeLine     = regexp.MustCompile(`(?m)^ *make ([a-z][a-z-]*)`)
	targetRule   = regexp.MustCompile(`(?m)^([a-z][a-z-]*):`)
	variableUse  = regexp.MustCompile(`(?:-var |PKR_VAR_)([a-z_0-9]+)=`)
	variableRule = regexp.MustCompile(`(?m)^variable "([a-z_0-9]+)"`)
)

// pages returns all pages with commands for the reader.
func pages(t *testing.T) []string {
	t.Helper()
	found := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md"}
	for _, pattern := range []string{"docs/*.md", "examples/*/README.md"} {
		more, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, more, pattern)
		found = append(found, more...)
	}
	return found
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

func TestEveryCommandOfTheDocsIsRunOrSaysWhatItNeeds(t *testing.T) {
	for _, page := range pages(t) {
		assert.NotRegexp(t, otherShell, read(t, page), "%s: blocks of commands begin with ```sh", page)
		for _, block := range commandBlock.FindAllStringSubmatch(read(t, page), -1) {
			mark, commands := block[1], block[2]
			where := page + ": " + strings.TrimSpace(commands)
			if needs.MatchString(mark) {
				continue
			}
			named := runBy.FindStringSubmatch(mark)
			if !assert.NotNil(t, named, "nothing before the block says what runs it, or what it needs: %s", where) {
				continue
			}
			if named[2] == "" {
				assert.FileExists(t, named[1], where)
				continue
			}
			assert.True(t, hasTest(t, named[1], named[2]), "%s has no %s, which is to run %s", named[1], named[2], where)
		}
	}
}

func hasTest(t *testing.T, directory, name string) bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(directory, "*_test.go"))
	require.NoError(t, err)
	return slices.ContainsFunc(files, func(file string) bool {
		return strings.Contains(read(t, file), "\nfunc "+name+"(t *testing.T)")
	})
}

func TestDocsNameTargetsAndVariablesThatExist(t *testing.T) {
	targets := map[string]bool{}
	for _, rule := range targetRule.FindAllStringSubmatch(read(t, "GNUmakefile"), -1) {
		targets[rule[1]] = true
	}
	variables := map[string]bool{}
	templates, err := filepath.Glob("examples/*/*.pkr.hcl")
	require.NoError(t, err)
	for _, template := range templates {
		for _, rule := range variableRule.FindAllStringSubmatch(read(t, template), -1) {
			variables[rule[1]] = true
		}
	}
	require.NotEmpty(t, targets)
	require.NotEmpty(t, variables)
	for _, page := range pages(t) {
		text := read(t, page)
		uses := makeTarget.FindAllStringSubmatch(text, -1)
		for _, block := range commandBlock.FindAllStringSubmatch(text, -1) {
			uses = append(uses, makeLine.FindAllStringSubmatch(block[2], -1)...)
		}
		for _, use := range uses {
			assert.True(t, targets[use[1]], "%s: make %s", page, use[1])
		}
		for _, use := range variableUse.FindAllStringSubmatch(text, -1) {
			assert.True(t, variables[use[1]], "%s: the examples have no variable %s", page, use[1])
		}
	}
}
