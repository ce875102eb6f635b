package inspect

import (
	"strconv"
	"strings"
)

// firstPerson is the uid from which on Debian gives them to people, nobody the one above
// them that stands for no one.
const (
	firstPerson = 1000
	nobody      = 65534
)

// inspectAccounts finds passwords, and accounts of people.
func inspectAccounts(t tree) []finding {
	var findings []finding
	for _, file := range []string{"/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/gshadow-", "/etc/passwd", "/etc/passwd-"} {
		for line := range strings.Lines(t.content[file]) {
			fields := strings.Split(strings.TrimRight(line, "\n"), ":")
			if len(fields) < 2 || fields[0] == "" {
				continue
			}
			if what := password(file, fields[1]); what != "" {
				findings = append(findings, finding{[]string{file}, fields[0] + " has " + what, "lock the account with \"passwd --lock\" and take the hash out"})
			}
			if strings.HasPrefix(file, "/etc/passwd") && isPerson(fields) {
				findings = append(findings, finding{[]string{file}, fields[0] + " is an account that was made during the build", "remove it with \"deluser\" in the last provisioner"})
			}
		}
	}
	return findings
}

// password says what the second field of a line means, or nothing if it lets nobody in.
// A hash behind the mark of a locked account still can be guessed at.
func password(file, field string) string {
	switch {
	case strings.HasPrefix(file, "/etc/passwd"):
		if field != "x" && field != "*" {
			return "a password, or needs none"
		}
	case strings.HasPrefix(file, "/etc/gshadow"):
		if field != "" && strings.Trim(field, "!*") != "" {
			return "a password"
		}
	case field == "":
		return "no password and needs none"
	case strings.Trim(field, "!*") != "":
		return "a password"
	}
	return ""
}

func isPerson(fields []string) bool {
	if len(fields) < 3 {
		return false
	}
	uid, err := strconv.Atoi(fields[2])
	return err == nil && uid >= firstPerson && uid != nobody
}
