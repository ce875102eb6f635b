package appliance

// BuilderIds of the artifacts, by which a post-processor knows what it was given.
const (
	BuilderID              = "slm-copilot.builder"
	VerifyBuilderID        = "slm-copilot.verify"
	MarketplaceBuilderID   = "slm-copilot.marketplace"
	StateImagePath         = "slm_copilot_image"
	StateManifestPath      = "slm_copilot_manifest"
	StateVerifyReportPath  = "slm_copilot_verify_report"
	StateCatalogDirectory  = "slm_copilot_catalog"
	ManifestSuffix         = ".manifest.json"
	VerifyReportTextSuffix = ".verify.txt"
	VerifyReportJSONSuffix = ".verify.json"
	SerialLogSuffix        = ".serial.log"
)
