package community

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const made = "# Changelog\n\nHead.\n\n## [1.1.0-0-20261201] - 2026-12-01\n\n### Changed\n\n- new\n"

func TestMergeChangelog(t *testing.T) {
	const section = "## [1.1.0-0-20261201] - 2026-12-01\n\n### Changed\n\n- new\n"
	for name, test := range map[string]struct{ existing, want string }{
		"none":                    {"", made},
		"an empty one":            {" \n\n", made},
		"an older version":        {"# Changes\n\nText.\n\n## [1.0.0] - 2026-01-01\n\n- old\n", "# Changes\n\nText.\n\n" + section + "\n## [1.0.0] - 2026-01-01\n\n- old\n"},
		"without brackets":        {"# C\n\n## 1.0.0\n- old\n", "# C\n\n" + section + "\n## 1.0.0\n- old\n"},
		"with a v":                {"# C\n## v1.0.0\n", "# C\n\n" + section + "\n## v1.0.0\n"},
		"unreleased stays on top": {"# C\n\n## [Unreleased]\n\n- soon\n\n## [1.0.0]\n", "# C\n\n## [Unreleased]\n\n- soon\n\n" + section + "\n## [1.0.0]\n"},
		"no version yet":          {"# C\n\nNothing.", "# C\n\nNothing.\n\n" + section},
		"no head":                 {"## [1.0.0]\n", section + "\n## [1.0.0]\n"},
		"the same, with notes":    {"# C\n\n## [1.1.0-0-20261201] - 2026-12-02\n\n- by hand\n", "# C\n\n## [1.1.0-0-20261201] - 2026-12-02\n\n- by hand\n"},
		"the same, not on top":    {"## [2.0.0]\n\n## [1.1.0-0-20261201]\n", "## [2.0.0]\n\n## [1.1.0-0-20261201]\n"},
		"one that begins alike":   {"## [1.1.0-0-202612011]\n", section + "\n## [1.1.0-0-202612011]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			got := mergeChangelog([]byte(test.existing), []byte(made))
			assert.Equal(t, test.want, string(got))
			assert.Equal(t, string(got), string(mergeChangelog(got, []byte(made))), "once more changes nothing")
		})
	}
}

// Nothing that people wrote is lost, and the new version is there once.
func FuzzMergeChangelog(f *testing.F) {
	f.Add("# C\n\n## [1.0.0]\n- old\n")
	f.Add(made)
	f.Add("## 1\r\n\r\n## [1.1.0-0-20261201")
	f.Fuzz(func(t *testing.T, existing string) {
		got := string(mergeChangelog([]byte(existing), []byte(made)))
		rest := got
		for line := range strings.Lines(existing) {
			line = strings.TrimSpace(line)
			_, after, found := strings.Cut(rest, line)
			assert.True(t, found, "%q is lost", line)
			rest = after
		}
		assert.Contains(t, got, "1.1.0-0-20261201")
		assert.Equal(t, got, string(mergeChangelog([]byte(got), []byte(made))))
	})
}
