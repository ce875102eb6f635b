package payloads

import "strings"

// lookUp finds a file in a list as sha256sum and sha512sum write it: "<digest>  <name>", with
// an asterisk before the name where it was read as binary. Lines of another form are passed
// over. Two different digests of one name are none.
func lookUp(list, file string) told {
	var found told
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if len(fields) != 2 || strings.TrimPrefix(strings.TrimPrefix(fields[1], "*"), "./") != file {
			continue
		}
		var next told
		switch digits := strings.ToLower(fields[0]); {
		case isHex(digits, 64):
			next.sha256 = digits
		case isHex(digits, 128):
			next.sha512 = digits
		default:
			continue
		}
		if found != (told{}) && found != next {
			return told{}
		}
		found = next
	}
	return found
}

func isHex(text string, length int) bool {
	return len(text) == length && strings.Trim(strings.ToLower(text), "0123456789abcdef") == ""
}
