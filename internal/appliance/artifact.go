package appliance

// BuilderIds of the artifacts, by which a post-processor recognizes its input.
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
	LicensesSuffix         = ".licenses.txt"
	ProvenanceSuffix       = ".intoto.json"
)

// Keys under which the builder passes the source and version of the machine to provisioners, as
// build.<name> in a template.
const (
	DataBaseImage       = "BaseImage"
	DataBaseImageSource = "BaseImageSource"
	// DataBaseImageDigest is "sha256:<hex>".
	DataBaseImageDigest = "BaseImageDigest"
	// DataBaseImageSize is in bytes, as decimal digits.
	DataBaseImageSize = "BaseImageSize"
	// DataImageVersion is the version of the image that is built.
	DataImageVersion = "ImageVersion"
)
