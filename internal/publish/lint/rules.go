package lint

// The rules; the package documentation explains each.
const (
	ruleSyntax       = "syntax"
	ruleDuplicateKey = "duplicate-key"
	ruleYAMLStyle    = "yaml-style"
	ruleYAMLAlias    = "yaml-alias"

	ruleRequired          = "required"
	ruleName              = "name"
	ruleVersion           = "version"
	ruleType              = "type"
	ruleFormat            = "format"
	ruleArch              = "arch"
	ruleOpenNebulaVersion = "opennebula-version"
	ruleCreationTime      = "creation-time"
	ruleStale             = "stale"
	rulePlaceholder       = "placeholder"
	ruleUnstorable        = "unstorable"
	ruleLogo              = "logo"
	ruleImage             = "image"
	ruleChecksum          = "checksum"
	ruleDuplicate         = "duplicate"
	ruleFileName          = "file-name"
	ruleSpelling          = "spelling"

	ruleNotString      = "not-string"
	ruleNested         = "nested"
	ruleQuote          = "quote"
	ruleNIC            = "nic"
	ruleDisk           = "disk"
	ruleNameInTemplate = "name-in-template"
	ruleCapacity       = "capacity"
	ruleHypervisor     = "hypervisor"
	ruleCPUModel       = "cpu-model"
	ruleTopology       = "topology"
	ruleRestricted     = "restricted"

	ruleReportReady    = "report-ready"
	ruleReadyScript    = "ready-script"
	ruleContextLiteral = "context-literal"
	ruleContextInput   = "context-input"

	ruleInputFields     = "input-fields"
	ruleInputType       = "input-type"
	ruleInputDefault    = "input-default"
	ruleInputName       = "input-name"
	ruleInputOrder      = "input-order"
	ruleInputUnused     = "input-unused"
	ruleInputTitle      = "input-title"
	rulePasswordDefault = "password-default"

	ruleMetadataShape  = "metadata-shape"
	ruleMetadataParams = "metadata-params"
)

// fixes says how to correct each.
var fixes = map[string]string{
	ruleSyntax:       "write what a parser takes",
	ruleDuplicateKey: "keep one of them",
	ruleYAMLStyle:    "end the file with one newline and no line with a blank, and indent with blanks",
	ruleYAMLAlias:    "write the value itself in each place",

	ruleRequired:          "add it",
	ruleName:              "choose one that OpenNebula takes: up to 128 bytes, none of & | : \\ \" ; / ' # { } $ < >",
	ruleVersion:           "give it a version such as '1.0.0-0-20261122', as a quoted string, and one that its image has in its name",
	ruleType:              "write IMAGE, VMTEMPLATE or SERVICE_TEMPLATE, with what the type asks for",
	ruleFormat:            "write qcow2, raw, vmdk or iso",
	ruleArch:              "write x86_64 or aarch64, the same everywhere",
	ruleOpenNebulaVersion: "list every release from the oldest it runs on to the newest: 6.10, 7.0, 7.2, 7.4",
	ruleCreationTime:      "write the time of this release in seconds since 1970, as a number",
	ruleStale:             "bring version, time and checksums of each release up to date together",
	rulePlaceholder:       "write the address at which the image is published",
	ruleUnstorable:        "write text that OpenNebula keeps as it is",
	ruleLogo:              "name a PNG file without a directory, or below images/logos/ in a VM template",
	ruleImage:             "describe the one image that is imported: url, type, dev_prefix, driver, and size as a number: the bytes of the disk, as qemu-img info tells them",
	ruleChecksum:          "write those of the published file in lower-case hexadecimal",
	ruleDuplicate:         "keep one of them",
	ruleFileName:          "name the file <uuid>.yaml, and keep no second copy of it",
	ruleSpelling:          "spell it one way in all file names: lower case, words separated by hyphens",

	ruleNotString:      "put it between quotes",
	ruleNested:         "flatten it: a vector holds texts only",
	ruleQuote:          `write \" in the value`,
	ruleNIC:            "leave it out, and let the user choose the network",
	ruleDisk:           "leave it out: the import adds the image it has made",
	ruleNameInTemplate: "leave it out: the import gives a name",
	ruleCapacity:       "set CPU, VCPU and MEMORY (in MB) to numbers above 0",
	ruleHypervisor:     "leave it out: the marketplace driver adds it",
	ruleCPUModel:       `set CPU_MODEL to MODEL="host-passthrough", on x86_64 with FEATURES="avx2"`,
	ruleTopology:       "set SOCKETS, CORES and THREADS so that their product is VCPU, without VCPU_MAX, or none of them",
	ruleRestricted:     "leave it out: users who are not administrators cannot import it",

	ruleReportReady:    `set NETWORK, TOKEN and REPORT_READY in CONTEXT to "YES"`,
	ruleReadyScript:    "set READY_SCRIPT or READY_SCRIPT_PATH to what succeeds once the service answers",
	ruleContextLiteral: `refer to the user input: NAME="$INPUT"`,
	ruleContextInput:   "refer to one that is in USER_INPUTS",

	ruleInputFields:     `write "<M|O>|<type>|<description>" or "<M|O>|<type>|<description>|<options>|<default>", a blank for no options`,
	ruleInputType:       "use a type of OpenNebula with the options that it wants",
	ruleInputDefault:    "choose one that the options allow",
	ruleInputName:       "name it ONEAPP_<APP>_<GROUP>_<FIELD>; the variable in CONTEXT may keep its own name",
	ruleInputOrder:      "list every input in INPUTS_ORDER, once, and nothing else",
	ruleInputUnused:     "pass it on in CONTEXT, or do not ask",
	ruleInputTitle:      "set TYPE to APP or GROUP, and NAME to a part of the name of an input",
	rulePasswordDefault: "leave it empty, and generate one in the machine",

	ruleMetadataShape:  "follow appliances/example/metadata.yaml of the community's repository",
	ruleMetadataParams: "leave out commas and quotes: all values travel as one text, separated by commas",
}
