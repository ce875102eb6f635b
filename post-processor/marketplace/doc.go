// Package marketplace is the Packer post-processor "slm-copilot-marketplace": it takes a
// finished image and publishes it where clouds can find it. Today that is a catalog, a
// directory that is a whole OpenNebula marketplace.
package marketplace
