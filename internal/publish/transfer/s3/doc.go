// Package s3 uploads images to a bucket of an S3-compatible object store, from which the
// front-end downloads them by a signed URL.
//
// An image is one object with its SHA-256 in its metadata; an existing object with the same
// size and SHA-256 is not sent again. It is sent as a multipart upload, several parts at a
// time, each with a digest that the store verifies and with retries of its own. A run that
// ends before the last part leaves nothing: parts without an object cost money and are seen by
// nobody.
package s3
