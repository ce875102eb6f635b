package manifest

// Disk is the image of one disk of an appliance, with the manifest that describes it.
type Disk struct {
	Path, ManifestPath string
	Manifest           Manifest
}

// ReadDisk reads the manifest at manifestPath of the image at path.
func ReadDisk(path, manifestPath string) (Disk, error) {
	m, err := Read(manifestPath)
	return Disk{path, manifestPath, m}, err
}
