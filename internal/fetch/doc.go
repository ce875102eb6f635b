// Package fetch brings the payloads of an appliance (engine, backend, model) to the
// build host and proves that they are what the template asked for. Downloads land in a
// content-addressed cache, so a second build downloads nothing.
package fetch
