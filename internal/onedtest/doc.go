// Package onedtest is a test double of OpenNebula's oned: it speaks the part of the XML-RPC
// API that publishing uses, with states that change in time and faults on demand. Its
// answers are compared with recordings of a real front-end in testdata.
//
// Files and URLs that an image is made of are really read. Nothing is kept of their bytes
// but digests, and no virtual machine is started. Rights are those of owner, group and
// others; of access rules only the right to make apps is known.
package onedtest
