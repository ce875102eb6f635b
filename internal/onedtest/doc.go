// Package onedtest is a test double of OpenNebula's oned: it speaks the part of the XML-RPC
// API that publishing uses, with states that change in time and faults on demand. Its
// answers are compared with recordings of a real front-end in testdata.
//
// It does less than oned: it knows one user, checks the rights that are taken from him
// alone, and takes templates in XML and in the plainest form of the plain syntax.
package onedtest
