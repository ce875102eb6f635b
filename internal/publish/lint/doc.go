// Package lint finds mistakes in published files before users do: each rule stands for
// something that made an app invisible, broke its import or its instantiation, or gave users
// less than they asked for, and that nobody noticed at first. The package does no I/O: bytes
// in, findings out.
//
// Syntax:
//
//	syntax              a parser refuses it; the marketplace then shows nothing
//	duplicate-key       parsers silently keep one of the two values
//	yaml-style          yamllint of the community's repository refuses it: blanks at the end
//	                    of a line, a missing or an extra final newline
//	yaml-alias          Ruby's safe loader refuses references
//
// The app:
//
//	required            a key that the server or the driver of the marketplace needs is missing
//	name                oned refuses the name
//	version             it is not where it belongs, or YAML reads it as a number
//	type                the driver ignores the app, or what its type needs is missing
//	format              not an image format
//	arch                the driver does not know os-arch, or OS/ARCH differs from it
//	opennebula-version  front-ends see only apps that name their release; newer ones are left out
//	creation-time       it becomes REGTIME, so it must be a number
//	stale               a version was published with the time, address or checksum of another
//	placeholder         an address or a checksum was never filled in
//	unstorable          oned changes or refuses the text: a backslash at its end, "]]>",
//	                    characters above U+FFFF, control characters; or an attribute name
//	logo                it is not a base name of a PNG, or not below images/logos/
//	image               the image is not described, or there are more than the first, which
//	                    alone is imported
//	checksum            MD5 (which OpenNebula verifies) or SHA-256 is missing or malformed
//	duplicate           two entries have one name or id: OpenNebula takes one for the other
//	file-name           the id of an app is the name of its file; a copy under another name drifts
//	spelling            one name is spelled in several ways, or not as the Makefile of the
//	                    community's repository wants it
//
// The VM template:
//
//	not-string          one number or boolean makes the driver drop the whole template
//	nested              vectors can contain only strings
//	quote               nothing escapes quotes: creating the template fails after the image
//	                    was imported
//	nic                 names of networks belong to one site; instantiation fails elsewhere
//	disk                the import appends the disk
//	name-in-template    the import appends the name
//	capacity            without VCPU a guest has one CPU
//	hypervisor          the driver appends it
//	cpu-model           the guest's generic CPU is some 20 times slower
//	topology            all three of SOCKETS, CORES and THREADS or none, their product VCPU
//	restricted          PIN_POLICY and HUGEPAGE_SIZE are for administrators: others cannot import
//	report-ready        without NETWORK, TOKEN and REPORT_READY the VM never reports READY
//	ready-script        READY would be reported before the service answers
//	context-literal     a value in CONTEXT silently beats the user's answer
//	context-input       CONTEXT refers to an input that is not there
//	input-fields        with four fields the CLI aborts, and Sunstone loses the default
//	input-type          an unknown type, or options that are not those of the type
//	input-default       a default that the options do not allow, or with a $ in it
//	input-name          with fewer than four segments Sunstone shows it in its "others" tab
//	input-order         an input that INPUTS_ORDER lacks is asked for first
//	input-unused        nothing uses the answer
//	input-title         a title that belongs to no input
//	password-default    everybody who can read the template knows it
//
// metadata.yaml of the community's repository:
//
//	metadata-shape      the tests find null where they expect a value
//	metadata-params     a comma or a quote breaks the one string in which all values are passed
package lint
