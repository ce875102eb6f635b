// Package verify is the Packer post-processor "slm-copilot-verify". It boots a finished
// image the way OpenNebula would and runs the acceptance checks, twice, with a power cycle
// in between. The image is never written to. A failure fails the build and keeps what is
// needed to find its cause.
package verify
