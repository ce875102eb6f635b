// Package serve lets the front-end fetch images from this machine: each under a path that
// nobody can guess, from when it is sent until it is removed.
//
// A front-end makes seven plain requests for one image and breaks six of them off after the
// first kilobytes, and it verifies no certificate. So a request that ends early is no
// error here, and the digest that is registered with the image is what proves it.
package serve
