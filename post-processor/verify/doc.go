// Package verify is the post-processor "slm-copilot-verify": it proves a finished image
// by booting it the way OpenNebula would and holding it to the acceptance checks, twice,
// with a power cycle in between. The image is only read. A failure fails the build and
// keeps what is needed to find its reason.
package verify
