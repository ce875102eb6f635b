package appliance

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// minPassword and maxPassword are in bytes.
const (
	minPassword = 12
	maxPassword = 128
)

// checkPassword allows only characters that every client can send in a header and, encoded, in
// a URL: printable ASCII without blanks.
func checkPassword(value string) error {
	if len(value) < minPassword || len(value) > maxPassword {
		return fmt.Errorf("must have %d to %d characters, has %d", minPassword, maxPassword, len(value))
	}
	for _, r := range value {
		if r <= ' ' || r > '~' {
			return errors.New("must be of printable ASCII characters without blanks")
		}
	}
	if common(value) {
		return errors.New("must not be a common password, such as a well-known word with digits, a row of keys or a repetition: those are tried first")
	}
	return nil
}

// minDistinct is the smallest number of different characters: repetitions fill lists of common
// passwords.
const minDistinct = 4

// common reports whether a password is of the kinds that lists of common passwords consist of:
// few different characters, digits alone, rows of keys, and well-known words, also with digits
// and signs around them and in place of letters.
func common(password string) bool {
	lower := strings.ToLower(password)
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	words := strings.TrimFunc(lower, func(r rune) bool { return r < 'a' || r > 'z' })
	return len(distinct) < minDistinct || digits.MatchString(lower) || known.MatchString(words) ||
		known.MatchString(unleet("i").Replace(words)) || known.MatchString(unleet("l").Replace(words))
}

// unleet undoes the usual replacements of letters; a 1 stands for an i or an l.
func unleet(one string) *strings.Replacer {
	return strings.NewReplacer("0", "o", "1", one, "!", one, "3", "e", "4", "a", "@", "a", "5", "s", "$", "s", "7", "t")
}

var digits = regexp.MustCompile(`^[0-9]+$`)

// known matches passwords made of nothing but well-known words and rows of keys. They are what
// passwords in published lists are made of, and the names of this product.
var known = regexp.MustCompile(`^((` + strings.Join([]string{
	"abcdef[a-z]*", "abcd?", "xyz", "qwerty(uiop)?", "qwertz(uiop)?", "azerty(uiop)?", "asdf(gh(jkl)?)?", "[zy]xcv(bnm?)?",
	"q1w2e3r4t5y", "q1w2e3r", "q2w3e4r5t6y", "q2w3e4r", "qaz2wsx(3edc)?", "qaz(wsx(edc)?)?", "zaq1?2?wsx", "a1b2c3d?",
	"password", "passwort", "passwd", "passphrase", "pass", "secret", "geheim", "private", "default", "changeme", "change", "letmein", "access", "login", "logmein", "trustno",
	"welcome", "hello", "iloveyou", "loveyou", "love", "monkey", "dragon", "master", "shadow", "sunshine", "princess", "football", "baseball", "superman", "batman", "starwars",
	"whatever", "computer", "internet", "michael", "charlie", "summer", "winter", "spring", "autumn", "company", "correcthorsebatterystaple",
	"administrator", "admin", "root", "user", "guest", "test", "demo", "temp", "oneadmin", "opennebula", "nebula", "slm", "copilot", "devstral", "mistral", "localai", "openai",
	"ubuntu", "debian", "linux", "server", "cloud", "example", "apikey", "token",
}, "|") + `)[-_.]?)+$`)
