# For builds without a network, see docs/payloads.md.

package_directory = "payload/packages"
