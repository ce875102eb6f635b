package appliance

// BuilderIds of the artifacts, by which a post-processor knows what it was given.
const (
	BuilderID              = "slm-copilot.builder"
	VerifyBuilderID        = "slm-copilot.verify"
	MarketplaceBuilderID   = "slm-copilot.marketplace"
	StateImagePath         = "slm_copilot_image"
	StateManifestPath      = "slm_copilot_manifest"
	StateModelImagePath    = "slm_copilot_model_image"
	StateVerifyReportPath  = "slm_copilot_verify_report"
	StateCatalogDirectory  = "slm_copilot_catalog"
	StateOpenNebulaApp     = "slm_copilot_opennebula_app"
	ManifestSuffix         = ".manifest.json"
	VerifyReportTextSuffix = ".verify.txt"
	VerifyReportJSONSuffix = ".verify.json"
	SerialLogSuffix        = ".serial.log"
	LockSuffix             = ".lock.hcl"
	SBOMSuffix             = ".spdx.json"
	ProvenanceSuffix       = ".intoto.json"
)

// Names under which the builder tells provisioners what the machine was made from, as
// build.<name> in a template.
const (
	DataBaseImage       = "BaseImage"
	DataBaseImageSource = "BaseImageSource"
	// DataBaseImageDigest is "sha256:<hex>".
	DataBaseImageDigest = "BaseImageDigest"
	// DataBaseImageSize is in bytes, in decimal digits.
	DataBaseImageSize = "BaseImageSize"
)
