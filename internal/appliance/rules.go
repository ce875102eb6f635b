package appliance

import (
	"errors"
	"regexp"
	"strings"
)

// CheckDomain returns an error if name is not a fully qualified host name that can be used in
// a certificate and a file path: RFC 1123 labels in lower case, at least two, the last not all
// digits (that would be an IP address).
func CheckDomain(name string) error {
	const rule = "must be a fully qualified host name such as copilot.example.org"
	labels := strings.Split(name, ".")
	if len(name) > 253 || len(labels) < 2 {
		return errors.New(rule)
	}
	for _, label := range labels {
		if !validLabel(label) {
			return errors.New(rule)
		}
	}
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return errors.New(rule)
	}
	return nil
}

func validLabel(label string) bool {
	const allowed = "abcdefghijklmnopqrstuvwxyz0123456789-"
	return label != "" && len(label) <= 63 &&
		strings.Trim(label, allowed) == "" &&
		label[0] != '-' && label[len(label)-1] != '-'
}

// VersionPattern matches versions and names that can be used in file names and in the names of
// OpenNebula objects.
var VersionPattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._+~-]{0,63}$`)

// MinMemory is the smallest memory, in MiB, that a cloud image boots with.
const MinMemory = 512

// MemoryMiB is the memory, in MiB, that a VM with the default model wants: what fit.Memory
// returns for it.
const MemoryMiB = 32768

// forbiddenInName are the bytes that oned refuses in object names (observed on 7.0 and 7.4).
const forbiddenInName = "&|:\\\";/'#{}$<>\t\n\v\f\r"

// CheckObjectName returns an error if oned would refuse name for an image, app or template: at
// most 128 bytes, none of the forbidden characters, nothing above U+FFFF (which breaks every
// later answer about the object), no trailing blank (which oned removes).
func CheckObjectName(name string) error {
	switch {
	case name == "":
		return errors.New("must not be empty")
	case len(name) > 128:
		return errors.New("must have at most 128 bytes")
	case strings.ContainsAny(name, forbiddenInName):
		return errors.New(`must not hold any of & | : \ " ; / ' # { } $ < > or a control character`)
	case strings.HasSuffix(name, " "):
		return errors.New("must not end in a blank")
	}
	for _, r := range name {
		if r > 0xFFFF {
			return errors.New("must not hold characters above U+FFFF such as emoji")
		}
	}
	return nil
}
