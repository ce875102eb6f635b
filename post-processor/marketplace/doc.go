// Package marketplace is the Packer post-processor "slm-copilot-marketplace": it takes a
// finished image and publishes it where clouds can find it: in a catalog, which is a
// directory that is a whole OpenNebula marketplace, in a private marketplace through the API
// of a cloud, and as the files of a pull request to the community's marketplace.
package marketplace
