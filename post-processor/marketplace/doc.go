// Package marketplace is the Packer post-processor "slm-copilot-marketplace". It publishes
// a finished image in up to three places: a catalog, which is a directory that a web server
// can serve as an OpenNebula marketplace; a private marketplace, through the API of a
// cloud; and the files of a pull request to OpenNebula's community marketplace.
package marketplace
