package appliance

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
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
// few different characters, no letters, rows of keys, and well-known words, also with digits and
// signs around and between them and in place of letters.
func common(password string) bool {
	lower := strings.ToLower(password)
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	words := strings.TrimFunc(lower, isNoLetter)
	if len(distinct) < minDistinct || words == "" {
		return true
	}
	// A sign at an end may be part of a word or stand beside it.
	spellings := []string{lower}
	for _, text := range []string{lower, words, strings.TrimLeftFunc(lower, isNoLetter), strings.TrimRightFunc(lower, isNoLetter)} {
		spellings = append(spellings, unleet("i").Replace(text), unleet("l").Replace(text))
	}
	return slices.ContainsFunc(spellings, known.MatchString)
}

func isNoLetter(r rune) bool { return r < 'a' || r > 'z' }

// unleet undoes the usual replacements of letters; a 1 stands for an i or an l.
func unleet(one string) *strings.Replacer {
	return strings.NewReplacer("0", "o", "1", one, "!", one, "3", "e", "4", "a", "@", "a", "5", "s", "$", "s", "7", "t")
}

// known matches passwords made of nothing but well-known words and rows of keys, and what is not
// a letter between them. They are what passwords in published lists are made of, and the names of
// this product.
var known = regexp.MustCompile(`^[^a-z]*((` + strings.Join([]string{
	"abcdef[a-z]*", "abcd?", "xyz", "a+", "b+", "c+", "d+", "x+", "z+",
	"qwe(rty(uiop)?)?", "qwertz(uiop)?", "azerty(uiop)?", "asd(f(gh(jkl)?)?)?", "[zy]x(cv?)?(bnm?)?", "uiop", "ghjkl", "rfv", "tgb", "yhn", "ujm", "qaz", "wsx", "edc",
	"q[0-9]w[0-9]e[0-9]r([0-9]t([0-9]y([0-9]u)?)?)?", "a1b2c3(d4)?", "zaq", "xsw", "cde",
	"password", "passwort", "passwd", "passphrase", "pass", "secret", "geheim", "private", "default", "changeme", "change", "letmein", "access", "login", "logmein", "trustno",
	"welcome", "hello", "iloveyou", "loveyou", "love", "monkey", "dragon", "master", "shadow", "sunshine", "princess", "football", "baseball", "superman", "batman", "starwars",
	"whatever", "computer", "internet", "michael", "charlie", "jordan", "liverpool", "arsenal", "chelsea", "barcelona", "summer", "winter", "spring", "autumn", "sommer", "company",
	"january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december", "correcthorsebatterystaple",
	"administrator", "admin", "root", "user", "guest", "test", "demo", "temp", "oneadmin", "oneapp", "opennebula", "nebula", "slm", "copilot", "devstral", "mistral", "localai", "openai",
	"ubuntu", "debian", "linux", "server", "cloud", "example", "apikey", "token",
}, "|") + `)[^a-z]*)+$`)
