// Package fetch brings the payloads of an appliance (engine, backend, model, base image)
// to the build host and proves that they are what was asked for.
//
// Downloads land in a content-addressed cache: a file is named by its SHA-256, so a
// second build downloads nothing. Beside it, while a download is under way or was cut:
//
//	<name>.part       the bytes that are here
//	<name>.part.json  which version of the remote file they come from
//	<name>.lock       who is downloading; its content is a process id
//
// The name is the SHA-256, or "url-" and the SHA-256 of the URL for a payload nobody has
// pinned yet.
package fetch
