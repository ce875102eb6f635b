package manifest

import "fmt"

// Disk is the image of one disk of an appliance, with the manifest that describes it.
type Disk struct {
	Path, ManifestPath string
	Manifest           Manifest
}

// CheckDisks returns an error if a system lacks its model disk. A single file, as artifice hands it
// on, may be half of an appliance.
func CheckDisks(system Manifest, hasModelDisk bool) error {
	if system.ModelDisk && !hasModelDisk {
		return fmt.Errorf("%s is a system whose model is on a disk of its own, and that disk is not among the files: use both in the build that makes them", system.Image)
	}
	return nil
}

// ReadDisk reads the manifest at manifestPath of the image at path.
func ReadDisk(path, manifestPath string) (Disk, error) {
	m, err := Read(manifestPath)
	return Disk{path, manifestPath, m}, err
}
