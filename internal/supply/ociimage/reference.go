package ociimage

import (
	"errors"
	"fmt"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/supply/fetch"
)

const scheme = "oci://"

// IsReference reports whether source is an image in a registry.
func IsReference(source string) bool { return strings.HasPrefix(source, scheme) }

// CheckReference returns an error if source is not a valid reference. It makes no request.
func CheckReference(source string) error {
	_, err := parseReference(source)
	return err
}

// reference is "oci://registry/repository[:tag][@sha256:<64 hex digits>]".
type reference struct {
	name.Repository
	tag string
	// digest is "sha256:<hex>", or empty.
	digest string
}

// parseReference never includes its input in an error: it may contain a password.
func parseReference(source string) (reference, error) {
	rest, found := strings.CutPrefix(source, scheme)
	registry, path, hasPath := strings.Cut(rest, "/")
	if strings.Contains(registry, "@") {
		return reference{}, errors.New("must hold no user and no password: log in with docker login, or give a token")
	}
	path, digest, pinned := strings.Cut(path, "@")
	repository, tag, tagged := strings.Cut(path, ":")
	if !tagged {
		tag = "latest"
	}
	named, err := name.NewTag(registry+"/"+repository+":"+tag, name.StrictValidation)
	// Without a registry the library would use Docker Hub, which also has an alias.
	foreign := named.RegistryStr() != registry && registry != "docker.io"
	if !found || !hasPath || err != nil || foreign {
		return reference{}, errors.New(`must be "oci://registry/repository[:tag][@sha256:...]", with the host name of the registry`)
	}
	if pinned && checkDigest(digest) != nil {
		return reference{}, fmt.Errorf("the digest after @ %w", checkDigest(digest))
	}
	return reference{named.Repository, named.TagStr(), strings.ToLower(digest)}, nil
}

func checkDigest(digest string) error {
	if digest == fetch.Unchecked {
		digest = ""
	}
	return fetch.CheckChecksum(digest)
}

// url returns the URL at which the registry serves a manifest or a blob.
func (r reference) url(kind, identifier string) string {
	protocol := "https"
	if fetch.IsLoopback(hostname(r.RegistryStr())) {
		protocol = "http"
	}
	return fmt.Sprintf("%s://%s/v2/%s/%s/%s", protocol, r.RegistryStr(), r.RepositoryStr(), kind, identifier)
}
