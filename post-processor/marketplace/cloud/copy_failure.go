package cloud

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/publish/opennebula"
)

// explainSource adds to the refusal of an image what oned does not say: of a URL that it could
// not read it says "Permission denied" whatever the reason was.
func explainSource(path string, err error) error {
	u, parseErr := url.Parse(path)
	if !opennebula.IsUnreadable(err) || parseErr != nil || u.Host == "" {
		return err
	}
	return fmt.Errorf("%w. The front-end could not download from %s, whatever that says: a name that it cannot resolve, a refused connection "+
		"and an HTTP error look alike. %s is resolved and dialled by the front-end's machine, not by this one: try curl -I there", err, u.Host, u.Hostname())
}

var (
	// failedCopy ends what the drivers of datastores and marketplaces say of a copy that failed.
	failedCopy = regexp.MustCompile(`Error copying \S.* to (\S+)$`)
	// noReason is all that is said when the digest does not match; other failures are often
	// told before it.
	noReason = regexp.MustCompile(`Error copying image in the datastore: Error copying \S.* to \S+$`)
)

// explainCopy adds to the failure of a copy what the front-end does not say.
func explainCopy(err error) error {
	var failed *opennebula.FailedError
	if !errors.As(err, &failed) {
		return err
	}
	var more strings.Builder
	if noReason.MatchString(failed.Reason) {
		more.WriteString(". A digest that does not match is among the causes, and the front-end does not name it")
	}
	if left := failedCopy.FindStringSubmatch(failed.Reason); left != nil {
		more.WriteString(". What was copied may be there still, and no object refers to it: ask an administrator to delete " + left[1])
	}
	return fmt.Errorf("%w%s", err, more.String())
}
