package tools_test

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What Go's checksum database says.
const (
	text43 = "golang.org/x/text v0.43.0 h1:1QivrlhwAsnMOcqgOdl9my7s9OyZl8O5/UGUTJVXoWc=\ngolang.org/x/text v0.43.0/go.mod h1:hbSIYA/amXcRXTFSZqh8tWHEoqRvvbKPJ2uz/KU+a+s=\n"
	text37 = "golang.org/x/text v0.3.7 h1:olpwvP2KacW1ZWvsR7uQhoyTYvKAupfQrRGBFM352Gk=\ngolang.org/x/text v0.3.7/go.mod h1:u+2+/6zg+i71rQMx5EYifcz6MCKuco9NR6JIITiCfzQ=\n"
)

// faultless is a repository that every check accepts.
var faultless = files{
	"go.mod":                 "module example.org/x\n\ngo 1.26.0\n\nrequire golang.org/x/text v0.43.0\n",
	"go.sum":                 text43,
	"main.go":                "// Command x greets.\npackage main\n\nimport (\n\t\"fmt\"\n\n\t\"golang.org/x/text/language\"\n)\n\n//go:generate cp spec x.hcl2spec.go\n\nfunc main() {\n\t_, _, err := language.ParseAcceptLanguage(\"en\")\n\tfmt.Println(err)\n}\n",
	"runtime-agent/agent.go": "// Command agent does nothing.\npackage main\n\nfunc main() {}\n",
	"spec":                   "package main\n",
	"x.hcl2spec.go":          "package main\n",
	"x.sh":                   "echo \"$1\"\n",
	".ci/run":                "exit 0\n",
	"GNUmakefile":            "all:\n",
	"README.md":              "Greets.\n",
}

type files map[string]string

// faults are one for each check: the files that differ, and what the check says.
var faults = map[string]struct {
	files files
	want  string
}{
	"gofmt":           {files{"more.go": "package main\nvar  more = 1\n"}, "more.go"},
	"vet":             {files{"more.go": "package main\n\nimport \"fmt\"\n\nfunc more() { fmt.Printf(\"%d\", \"x\") }\n"}, "wrong type"},
	"lint":            {files{"more.go": "package main\n\nfunc more() {}\n"}, "unused"},
	"shellcheck":      {files{"x.sh": "cat $1\n"}, "SC2086"},
	"tidy":            {files{"go.mod": "module example.org/x\n\ngo 1.26.0\n\nrequire golang.org/x/text v0.43.0 // indirect\n"}, "run go mod tidy"},
	"generated":       {files{"x.hcl2spec.go": "package main\n\n// by hand\n"}, "run make generate"},
	"spelling":        {files{"README.md": "Greets t" + "eh world.\n"}, "==> the"},
	"vulnerabilities": {files{"go.mod": "module example.org/x\n\ngo 1.26.0\n\nrequire golang.org/x/text v0.3.7\n", "go.sum": text37}, "GO-2022-1059"},
}

func TestEveryCheckFindsItsFault(t *testing.T) {
	accepts, output := check(t, faultless)
	require.True(t, accepts, output)
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			files := maps.Clone(faultless)
			maps.Copy(files, fault.files)
			accepts, output := check(t, files, name)
			assert.False(t, accepts)
			assert.Contains(t, output, fault.want)
			assert.Contains(t, output, "check: "+name+": FAILED")
		})
	}
	script, err := os.ReadFile("check.sh")
	require.NoError(t, err)
	for _, name := range functions.FindAllStringSubmatch(string(script), -1) {
		assert.Contains(t, slices.Collect(maps.Keys(faults)), name[1], "a fault for each check")
	}
}

var functions = regexp.MustCompile(`(?m)^check_(\w+)\(\)`)

// check runs checks of check.sh, or all, on a repository of these files.
func check(t *testing.T, files files, names ...string) (accepts bool, output string) {
	t.Helper()
	here, err := filepath.Abs("../..")
	require.NoError(t, err)
	directory := t.TempDir()
	for path, content := range files {
		path = filepath.Join(directory, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	for _, path := range []string{".golangci.yml", "internal/tools/check.sh", "internal/tools/words", "internal/tools/vuln/go.mod", "internal/tools/vuln/go.sum"} {
		content, err := os.ReadFile(filepath.Join(here, path))
		require.NoError(t, err)
		path = filepath.Join(directory, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, content, 0o644))
	}
	// The database takes a while to make.
	require.NoError(t, os.MkdirAll(filepath.Join(directory, ".cache"), 0o755))
	require.NoError(t, os.Symlink(filepath.Join(here, ".cache/vulndb"), filepath.Join(directory, ".cache/vulndb")))

	script := `printf '.cache\n' >.gitignore && git init -q . && exec sh internal/tools/check.sh "$@"`
	command := exec.CommandContext(t.Context(), "/bin/sh", append([]string{"-c", script, "check"}, names...)...)
	command.Dir = directory
	command.Env = append(os.Environ(), "PATH="+filepath.Join(here, ".tools/bin")+":"+os.Getenv("PATH"))
	said, err := command.CombinedOutput()
	return err == nil, string(said)
}
