// Package certs is about the server certificate of one virtual machine: it makes the VM's own
// CA and the certificate that CA signs, judges the certificates of an operator and of an ACME
// server, chooses the one to serve, and finds out which one clients really get.
package certs
