// Package payloads maintains a lock file and a cache: Pin asks publishers for missing digests
// and checks the existing ones, Collect downloads everything the lock names to a cache
// directory, so that a build needs no network for payloads.
package payloads
