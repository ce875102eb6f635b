// Package lint finds mistakes in what is published before users do: each rule stands
// for something that made an app invisible, broke its import or its instantiation, or gave
// users less than they asked for, and that nobody noticed until then. It is pure: bytes in,
// findings out.
//
// What a file is made of:
//
//	syntax              a parser refuses it; the marketplace then shows nothing
//	duplicate-key       parsers keep one of two values and say nothing
//	yaml-style          yamllint of the community's repository refuses it: blanks at the end
//	                    of a line, a missing or an additional last newline
//	yaml-alias          Ruby's safe loader refuses references
//
// The app:
//
//	required            a key that the server or the driver of the marketplace needs is missing
//	name                oned refuses the name
//	version             it is missing in its place, or YAML makes a number of it
//	type                the driver passes over the app, or what its type needs is missing
//	format              no format of an image
//	arch                os-arch is none that the driver knows, or OS/ARCH is another
//	opennebula-version  front-ends see only apps that name their release; newer ones are left out
//	creation-time       it becomes REGTIME, so it is a number
//	stale               a version was published with the time, address or checksum of another
//	placeholder         an address or a checksum was never filled in
//	unstorable          oned changes or refuses the text: a backslash at its end, "]]>",
//	                    characters above U+FFFF, control characters; or a name of an attribute
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
//	not-string          the driver drops the whole template because of one number or boolean
//	nested              vectors hold texts only
//	quote               nobody escapes quotes: the template's creation fails after the image
//	                    was imported
//	nic                 names of networks belong to one site; instantiation fails elsewhere
//	disk                the import appends the disk
//	name-in-template    the import appends the name
//	capacity            without VCPU a guest has one CPU
//	hypervisor          the driver appends it
//	cpu-model           the guest's generic CPU is some 20 times slower
//	topology            all three of SOCKETS, CORES and THREADS or none, their product VCPU
//	restricted          PIN_POLICY and HUGEPAGE_SIZE are for administrators: others cannot import
//	report-ready        without NETWORK, TOKEN and REPORT_READY nobody learns that it is ready
//	ready-script        READY would be reported before the service answers
//	context-literal     a value in CONTEXT silently beats the user's answer
//	context-input       CONTEXT refers to an input that is not there
//	input-fields        with four fields the command line aborts, and Sunstone loses the default
//	input-type          an unknown type, or options that are not those of the type
//	input-default       a default that the options do not allow
//	input-name          with fewer than four segments Sunstone shows it in a tab of others
//	input-order         an input that INPUTS_ORDER lacks is asked for first
//	input-unused        an answer that goes nowhere
//	input-title         a title that belongs to no input
//	password-default    everybody who sees the template knows it
//
// metadata.yaml of the community's repository:
//
//	metadata-shape      the tests read null where they look
//	metadata-params     a comma or a quote breaks the one text in which all values travel
package lint
