// Package serve lets the front-end download images from this host: each under an unguessable
// path, from Send until Remove.
//
// A front-end makes seven plain requests for one image and breaks off six of them after the
// first kilobytes, and it verifies no certificate. So a request that ends early is not an
// error here, and integrity rests on the digest that is registered with the image.
package serve
