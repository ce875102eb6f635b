package inspect

import (
	"strconv"
	"strings"
)

// firstPerson is the first uid that Debian assigns to people; nobody is the uid above them
// that belongs to no one.
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

// password describes the second field of a line, empty if it allows no login. A hash behind
// the mark of a locked account can still be cracked.
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
