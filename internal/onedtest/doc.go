// Package onedtest is a test double of OpenNebula's oned: it implements the part of the
// XML-RPC API that publishing uses, with states that change over time and faults on demand.
// Its responses are compared with recordings of a real front-end in testdata.
//
// Files and URLs of images are really read. Only digests of their content are kept, and no
// virtual machine is started. Permissions are those of owner, group and others; of access
// rules only the right to create apps is implemented.
package onedtest
