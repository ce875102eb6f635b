// Package ociimage pulls an OCI image from a registry and flattens it into one tar archive;
// LocalAI publishes its backends as OCI images. It needs no container engine.
//
// Registries identify everything they serve by its SHA-256, so internal/supply/fetch downloads
// it, to the same cache as every other payload: verified, resumable, shared between builds.
// Cached content is never requested again: with a digest, a second pull needs no network.
package ociimage
