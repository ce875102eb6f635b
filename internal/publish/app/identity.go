package app

import (
	"regexp"
	"time"

	"github.com/google/uuid"
)

// namespace is this project's own, generated at random once. Changing it would change the
// id of every published app.
var namespace = uuid.MustParse("081298ad-de4e-4710-b8bf-df83caf3af05")

// UUID is the id of an app in a community marketplace, and the name of its file there. All
// versions with the same name and architecture ("x86_64") share it: a version replaces the
// one before it. It is a version 5 UUID (RFC 4122).
func UUID(name, arch string) string {
	return uuid.NewSHA1(namespace, []byte(name+"\x00"+arch)).String()
}

// communityPattern is the version format of OpenNebula's marketplaces, which their release
// tool app2 looks for in file names: "<x.y.z>-<release>-<YYYYMMDD>".
var communityPattern = regexp.MustCompile(`^\d+\.\d+\.\d+-\d+-\d{8}$`)

// CommunityVersion converts a version to the format of OpenNebula's marketplaces, with
// release 0 and the day (UTC) on which the image was created: "1.0.0-0-20261122". A version
// already in that format is returned unchanged.
func CommunityVersion(version string, created time.Time) string {
	if communityPattern.MatchString(version) {
		return version
	}
	return version + "-0-" + created.UTC().Format("20060102")
}
