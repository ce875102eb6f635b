// Package fetch downloads or reads the payloads of an appliance (engine, backend, model, base
// image) on the build host and verifies them.
//
// Downloads are stored in a content-addressed cache: a file is named by its SHA-256, so a
// second build downloads nothing. During a download, or after an interrupted one, there are
// also:
//
//	<name>.part       the bytes that are here
//	<name>.part.json  which version of the remote file they come from
//	<name>.lock       who is downloading; its content is a process id
//
// <name> is the SHA-256, or "url-" and the SHA-256 of the URL for a payload that is not pinned
// yet.
package fetch
