// Package ociimage pulls an OCI image from a registry and flattens it into one tar
// archive; LocalAI publishes its backends that way. No container engine is involved.
//
// Everything a registry serves is named by its SHA-256, so internal/supply/fetch brings it, into
// the same cache as every other payload: verified, resumed, shared between builds. What is
// there already is never asked for again: with a digest, a second pull needs no network.
package ociimage
