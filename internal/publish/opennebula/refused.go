package opennebula

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	gocaerrors "github.com/OpenNebula/one/src/oca/go/src/goca/errors"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/sourceuri"
)

// RefusedError is a call that the front-end refused. Error codes for the same refusal differ
// between versions, so causes are recognized by their text where all versions share it.
type RefusedError struct {
	Code int
	Text string
}

func (e *RefusedError) Error() string {
	switch {
	case e.Code == gocaerrors.OneAuthenticationError:
		return e.Text + " User, password or token is wrong, or the token has expired."
	case strings.Contains(e.Text, "is locked"):
		return e.Text + " Somebody has locked it on purpose; who did, or an administrator, can unlock it."
	case e.Code == gocaerrors.OneAuthorizationError:
		return e.Text + grants(e.Text)
	}
	return e.Text
}

var (
	refusedUser  = regexp.MustCompile(`User \[([0-9]+)\] : `)
	missingRight = regexp.MustCompile(`Not authorized to perform ([A-Z]+) ([A-Z]+)(?: \[([0-9]+)\])?`)
)

// grants returns how the rights that a refusal names are given to its user, empty if it names
// none: a quota is used up, an attribute is restricted. The kinds of objects and rights have
// the same names in refusals and in rules.
func grants(text string) string {
	user := refusedUser.FindStringSubmatch(text)
	rights := missingRight.FindAllStringSubmatch(text, -1)
	if user == nil || rights == nil {
		return ""
	}
	var rules []string
	for _, right := range rights {
		object := "*"
		if right[3] != "" {
			object = "#" + right[3]
		}
		rules = append(rules, fmt.Sprintf("oneacl create '#%s %s/%s %s'", user[1], right[2], object, right[1]))
	}
	return " Ask an administrator for: " + strings.Join(rules, " && ")
}

var urls = regexp.MustCompile(`https?://[^\s']+`)

// withoutSecrets removes credentials and signatures from the URLs in a text of oned, which
// repeats where it was to download an image from.
func withoutSecrets(text string) string { return urls.ReplaceAllStringFunc(text, sourceuri.Shown) }

// FailedError is an image or an app that the front-end could not copy.
type FailedError struct {
	// Object is "image 5 (its name)", Reason the text of the driver.
	Object, Reason string
}

func (e *FailedError) Error() string {
	return "the front-end could not copy " + e.Object + ": " + e.Reason
}

// IsUnreadable reports whether err says that the front-end could not look at the source of an
// image.
func IsUnreadable(err error) bool { return says(err, "Cannot parse image SIZE: ") }

// IsGone reports whether err says that an object does not exist.
func IsGone(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Code == gocaerrors.OneNoExistsError
}

// IsAuthorization reports whether err says that the user lacks a right or has used up a quota.
func IsAuthorization(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && refused.Code == gocaerrors.OneAuthorizationError
}

// says reports whether err is a refusal that contains this text.
func says(err error, text string) bool {
	var refused *RefusedError
	return errors.As(err, &refused) && strings.Contains(refused.Text, text)
}

// TakenError says that another object has the name.
type TakenError struct {
	Name string
	// Kind is IMAGE, TEMPLATE or MARKETPLACEAPP, ID the object's id.
	Kind string
	ID   int
}

func (e *TakenError) Error() string {
	return fmt.Sprintf("the name %q is taken by %s %d", e.Name, e.Kind, e.ID)
}

var takenPattern = regexp.MustCompile(`NAME is already taken by ([A-Z]+) ([0-9]+)`)

// taken returns nil if err is not about a taken name.
func taken(err error, name string) *TakenError {
	var refused *RefusedError
	if !errors.As(err, &refused) {
		return nil
	}
	match := takenPattern.FindStringSubmatch(refused.Text)
	if match == nil {
		return nil
	}
	id, err := strconv.Atoi(match[2])
	if err != nil {
		return nil
	}
	return &TakenError{Name: name, Kind: match[1], ID: id}
}

func asRefused(err error) (*RefusedError, bool) {
	var refused *RefusedError
	found := errors.As(err, &refused)
	return refused, found
}
