package manifest

import (
	"errors"
	"fmt"
)

// Verification is the record of a trial of an image, as the post-processor
// "slm-copilot-verify" writes it.
type Verification struct {
	// Suite is the version of the acceptance checks.
	Suite int `json:"suite"`
	// SHA256 is the digest of the image that was booted, and ModelDiskSHA256 that of the model
	// disk that was attached, if it has one; in lower-case hexadecimal.
	SHA256          string `json:"sha256"`
	ModelDiskSHA256 string `json:"model_disk_sha256,omitempty"`
	// Time is when the trial ended, in seconds since 1970.
	Time int64 `json:"time"`
	// Passed reports whether all checks passed, of which Checks were made in Boots boots.
	Passed bool `json:"passed"`
	Boots  int  `json:"boots"`
	Checks int  `json:"checks"`
}

// Proven returns an error unless the manifests say that the image of system, together with
// its model disk, passed a trial. modelDisk is the digest of that disk, empty if there is
// none.
func (m Manifest) Proven(modelDisk string) error {
	switch v := m.Verified; {
	case v == nil:
		return errors.New("it was never verified")
	case !v.Passed:
		return errors.New("it failed when it was verified")
	case v.SHA256 != m.SHA256:
		return errors.New("another build of it was verified, SHA-256 " + v.SHA256)
	case v.ModelDiskSHA256 != modelDisk:
		return fmt.Errorf("it was verified with the model disk %s, and is now with %s", named(v.ModelDiskSHA256), named(modelDisk))
	}
	return nil
}

func named(sha256 string) string {
	if sha256 == "" {
		return "(none)"
	}
	return "SHA-256 " + sha256
}

func (v Verification) validate(expect func(field string, err error)) {
	expect("verified.suite", checkPositive(int64(v.Suite)))
	expect("verified.sha256", checkHex(v.SHA256, 64))
	if v.ModelDiskSHA256 != "" {
		expect("verified.model_disk_sha256", checkHex(v.ModelDiskSHA256, 64))
	}
	expect("verified.time", checkPositive(v.Time))
	if v.Passed {
		expect("verified.boots", checkPositive(int64(v.Boots)))
		expect("verified.checks", checkPositive(int64(v.Checks)))
	}
}
