// Package payloads keeps a lock file true and a cache full: Pin asks publishers for the
// digests that are missing and checks those that are there, Collect brings everything the
// lock names into a cache directory, from which a build needs no network for payloads.
package payloads
