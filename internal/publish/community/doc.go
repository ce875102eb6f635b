// Package community generates the files of a pull request to OpenNebula's community
// marketplace (OpenNebula/marketplace-community), from the same source as every other
// publication.
//
//	appliances/slm-copilot/<uuid>.yaml            the app, as the marketplace's server reads it
//	appliances/slm-copilot/metadata.yaml          what its tests need to know
//	appliances/slm-copilot/context.yaml           which tests of the context packages apply
//	appliances/slm-copilot/tests.yaml             the list of specs
//	appliances/slm-copilot/tests/00-slm-copilot_basic.rb
//	appliances/slm-copilot/README.md, CHANGELOG.md
//	logos/slm-copilot.png                         if one is given
//
// All these names contain the appliance's name in lower case and without digits: the Makefile
// of that repository cuts a name at its first digit. The id is that of the app for its
// architecture, the same in all versions, so that a version replaces the one before it.
package community
