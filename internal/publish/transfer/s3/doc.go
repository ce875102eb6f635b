// Package s3 brings images into a bucket of an object store that speaks S3, from which the
// front-end fetches them by a signed URL.
//
// An image is one object with its SHA-256 among its metadata; one that is there with the
// same size and SHA-256 is not sent again. It is sent in parts, several at a time, each
// with a digest that the store verifies and with retries of its own. A run that ends before
// its last part leaves nothing: parts without an object would cost money and be seen by nobody.
package s3
