// govulncheck, and what makes a database for it out of the module golang.org/x/vulndb:
// the server of the database is not asked.
module github.com/slm-copilot/packer-plugin-slm-copilot/internal/tools/vuln

go 1.26.0

tool (
	golang.org/x/vuln/cmd/govulncheck
	golang.org/x/vulndb/cmd/indexdb
)

require (
	golang.org/x/vuln v1.9.0
	golang.org/x/vulndb v0.0.0-20261105234957-e22db6528018
)
