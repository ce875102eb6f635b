package opennebula

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestAMissingRightIsToldWithTheRuleThatGrantsIt(t *testing.T) {
	for text, want := range map[string]string{
		"[one.marketapp.allocate] User [2] : Not authorized to perform CREATE MARKETPLACEAPP.": " Ask an administrator for: oneacl create '#2 MARKETPLACEAPP/* CREATE'",
		"[one.image.allocate] User [7] : Not authorized to perform USE DATASTORE [1].":         " Ask an administrator for: oneacl create '#7 DATASTORE/#1 USE'",
		"[one.image.delete] User [2] : Not authorized to perform ADMIN IMAGE [45].":            " Ask an administrator for: oneacl create '#2 IMAGE/#45 ADMIN'",
		"[one.image.allocate] User [2] : Not authorized to perform CREATE IMAGE; Not authorized to perform USE DATASTORE [1].": " Ask an administrator for: " +
			"oneacl create '#2 IMAGE/* CREATE' && oneacl create '#2 DATASTORE/#1 USE'",
		"[one.image.delete] User [2] : IMAGE is locked. [45].":                                                 " Somebody has locked it on purpose; who did, or an administrator, can unlock it.",
		"[one.image.allocate] User [2] : Template includes a restricted attribute SOURCE.":                     "",
		"[one.image.allocate] User [2] : user [2] limit of 40 reached for SIZE quota in DATASTORE with ID: 1.": "",
	} {
		assert.EqualError(t, &RefusedError{Code: 0x0200, Text: text}, text+want)
	}
}
