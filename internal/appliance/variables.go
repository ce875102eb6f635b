package appliance

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Prefix is the prefix of every context variable the appliance reads.
const Prefix = "ONEAPP_COPILOT_"

// Names of the context variables.
const (
	VarModel       = Prefix + "MODEL"
	VarContextSize = Prefix + "CONTEXT_SIZE"
	VarThreads     = Prefix + "THREADS"
	VarPassword    = Prefix + "PASSWORD"
	VarKeys        = Prefix + "KEYS"
	VarDomain      = Prefix + "DOMAIN"

	VarACMEDirectory = Prefix + "ACME_DIRECTORY"
	VarACMECA        = Prefix + "ACME_CA"
	VarACMEEmail     = Prefix + "ACME_EMAIL"
	VarCertificate   = Prefix + "TLS_CERTIFICATE"
	VarKey           = Prefix + "TLS_KEY"
	VarCORSOrigins   = Prefix + "CORS_ORIGINS"
	VarReadTimeout   = Prefix + "READ_TIMEOUT"
	VarRateLimit     = Prefix + "RATE_LIMIT"
	VarWarmUp        = Prefix + "WARM_UP"
	VarStablePrompts = Prefix + "STABLE_PROMPTS"
)

// InputType is the type field of an OpenNebula user input.
type InputType string

// The input types in use; OpenNebula has more.
const (
	InputNumber   InputType = "number"
	InputRange    InputType = "range"
	InputPassword InputType = "password"
	// InputText is for PEM too. The type text64 would be meant for that, but the command line of
	// OpenNebula 7.4.0 ends at a question of it where Ruby does not load base64 by itself.
	InputText InputType = "text"
	// InputList is answered with one of the options, which commas separate.
	InputList InputType = "list"
	// InputBoolean is answered with YES or NO.
	InputBoolean InputType = "boolean"
)

// Variable is one context variable: its validation, and its user input.
type Variable struct {
	// Name is the variable the agent reads from the context.
	Name string
	// Input is the name of the user input that sets it. Sunstone groups inputs by
	// ONEAPP_<APP>_<GROUP>_<FIELD>, so a variable with fewer than four segments gets an alias
	// here that has them.
	Input string
	Type  InputType
	// Options is the options field of the user input ("min..max" for a range, "one,two" for a list).
	Options string
	// Default is used if the variable is empty or absent: a user input left empty arrives as
	// an empty string.
	Default string
	// Secret values are never shown, nor is PEM, which is too long.
	Secret, PEM bool
	// Description is one sentence for the user. It must not contain "|" or quotes.
	Description string
	// store validates a non-empty value and sets it in the settings.
	store func(value string, s *Settings) error
}

// Settings are the validated values of all variables.
type Settings struct {
	// Model is the id of the model to serve; empty means the first one of the image.
	Model string
	// ContextSize is the number of tokens of one conversation.
	ContextSize int
	// Threads is the number of inference threads; 0 lets the agent choose.
	Threads int
	// Password protects the API; if it is empty, the agent generates one and keeps it.
	Password string
	// Keys are the named keys beside the password, in the order in which they are given.
	Keys []NamedKey
	// Domain is the public host name, in lower case; empty means none.
	Domain string
	// ACMEDirectory is the URL of the ACME server that issues the certificate for Domain.
	ACMEDirectory string
	// ACMECA contains CA certificates, in PEM, to trust for the ACME server itself; nil means
	// those of the system.
	ACMECA []byte
	// ACMEEmail is the address of the ACME account; empty means none.
	ACMEEmail string
	// Certificate and Key are supplied by the operator, in PEM: the server certificate with
	// its chain, and its key. Either both are set or neither.
	Certificate, Key []byte
	// CORSOrigins are the web origins that may read responses; nil means all.
	CORSOrigins []string
	// ReadTimeout is the longest time the engine may be silent within one response.
	ReadTimeout time.Duration
	// RateLimit is the number of requests per minute allowed per client address; 0 means no
	// limit.
	RateLimit int
	// WarmUp has the engine read, after it has started, what the prompts of coding agents begin with;
	// that is stored for it. StablePrompts moves what differs between the sessions of an agent behind
	// what does not.
	WarmUp, StablePrompts bool
}

const (
	// DefaultContextSize is the number of tokens of one conversation unless the user sets another.
	DefaultContextSize = 32768
	// MaxContextSize is the largest number that can be set.
	MaxContextSize = 131072
)

const (
	minContextSize = 512
	maxThreads     = 1024
	// minReadTimeout and maxReadTimeout are in seconds, maxRateLimit is per minute.
	minReadTimeout = 60
	maxReadTimeout = 86400
	maxRateLimit   = 60000
)

// variables is the single source for validation, user inputs, context references, help text
// and documentation.
var variables = []Variable{
	{
		Name:        VarModel,
		Input:       Prefix + "MODEL_NAME",
		Type:        InputList,
		Description: "Model to serve, of those that the appliance contains. Empty for the first one.",
		store: func(value string, s *Settings) error {
			s.Model = value
			return CheckModelID(value)
		},
	},
	{
		Name:        VarContextSize,
		Input:       Prefix + "MODEL_CONTEXT_SIZE",
		Type:        InputRange,
		Options:     fmt.Sprintf("%d..%d", minContextSize, MaxContextSize),
		Default:     strconv.Itoa(DefaultContextSize),
		Description: "Context window in tokens (512-131072). More needs more memory.",
		store: func(value string, s *Settings) (err error) {
			s.ContextSize, err = integer(value, minContextSize, MaxContextSize)
			return err
		},
	},
	{
		Name:        VarThreads,
		Input:       Prefix + "MODEL_THREADS",
		Type:        InputNumber,
		Default:     "0",
		Description: "Inference threads. 0 for one per core.",
		store: func(value string, s *Settings) (err error) {
			s.Threads, err = integer(value, 0, maxThreads)
			return err
		},
	},
	{
		Name:        VarPassword,
		Input:       Prefix + "ACCESS_PASSWORD",
		Type:        InputPassword,
		Secret:      true,
		Description: "API password of 12 characters or more. Empty generates one, shown in the report inside the VM.",
		store: func(value string, s *Settings) error {
			s.Password = value
			return checkPassword(value)
		},
	},
	{
		Name:        VarKeys,
		Input:       Prefix + "ACCESS_KEYS",
		Type:        InputPassword,
		Secret:      true,
		Description: "API keys with names, such as alice:KEY, ci:KEY. Each counts for itself and can be taken back. Empty for the password alone.",
		store: func(value string, s *Settings) (err error) {
			s.Keys, err = namedKeys(value)
			return err
		},
	},
	{
		Name:        VarDomain,
		Input:       Prefix + "TLS_DOMAIN",
		Type:        InputText,
		Description: "Public host name of the VM, certified through ACME. Empty for none.",
		store: func(value string, s *Settings) error {
			// The dot that ends a name in the DNS is not part of it in a certificate.
			s.Domain = strings.ToLower(strings.TrimSuffix(value, "."))
			return CheckDomain(s.Domain)
		},
	},
	{
		Name:        VarACMEDirectory,
		Input:       Prefix + "TLS_ACME_DIRECTORY",
		Type:        InputText,
		Default:     "https://acme-v02.api.letsencrypt.org/directory",
		Description: "ACME directory URL, of the server that certifies the host name.",
		store: func(value string, s *Settings) error {
			s.ACMEDirectory = value
			return checkHTTPS(value)
		},
	},
	{
		Name:        VarACMECA,
		Input:       Prefix + "TLS_ACME_CA",
		Type:        InputText,
		PEM:         true,
		Description: "CA certificates that verify the ACME server, in PEM or its Base64 in one line. Empty for those of the system.",
		store: func(value string, s *Settings) (err error) {
			s.ACMECA, err = certificates(value)
			return err
		},
	},
	{
		Name:        VarACMEEmail,
		Input:       Prefix + "TLS_ACME_EMAIL",
		Type:        InputText,
		Description: "Email address for the ACME account. Empty for none.",
		store: func(value string, s *Settings) error {
			s.ACMEEmail = value
			return checkEmail(value)
		},
	},
	{
		Name:        VarCertificate,
		Input:       VarCertificate,
		Type:        InputText,
		PEM:         true,
		Description: "TLS certificate of your own with its chain, in PEM or its Base64 in one line. Replaces the one from ACME.",
		store: func(value string, s *Settings) (err error) {
			s.Certificate, err = certificates(value)
			return err
		},
	},
	{
		Name:        VarKey,
		Input:       VarKey,
		Type:        InputText,
		Secret:      true,
		PEM:         true,
		Description: "TLS private key of that certificate, without a passphrase, in PEM or its Base64 in one line.",
		store: func(value string, s *Settings) (err error) {
			s.Key, err = privateKey(value)
			return err
		},
	},
	{
		Name:        VarCORSOrigins,
		Input:       Prefix + "ACCESS_CORS_ORIGINS",
		Type:        InputText,
		Default:     "*",
		Description: "CORS origins that may call the API, separated by spaces. An asterisk allows all.",
		store: func(value string, s *Settings) (err error) {
			s.CORSOrigins, err = origins(value)
			return err
		},
	},
	{
		Name:        VarReadTimeout,
		Input:       Prefix + "ACCESS_READ_TIMEOUT",
		Type:        InputNumber,
		Default:     "1800",
		Description: "Read timeout in seconds (60-86400): how long the model may be silent, as while it reads a long prompt.",
		store: func(value string, s *Settings) error {
			seconds, err := integer(value, minReadTimeout, maxReadTimeout)
			s.ReadTimeout = time.Duration(seconds) * time.Second
			return err
		},
	},
	{
		Name:        VarRateLimit,
		Input:       Prefix + "ACCESS_RATE_LIMIT",
		Type:        InputNumber,
		Default:     "0",
		Description: "Rate limit in requests per minute and client address. 0 for no limit.",
		store: func(value string, s *Settings) (err error) {
			s.RateLimit, err = integer(value, 0, maxRateLimit)
			return err
		},
	},
	{
		Name:        VarWarmUp,
		Input:       Prefix + "MODEL_WARM_UP",
		Type:        InputBoolean,
		Default:     "NO",
		Description: "YES has the model read what the prompts of coding agents begin with before they ask, after each start. That text is stored on the disk.",
		store: func(value string, s *Settings) (err error) {
			s.WarmUp, err = yesOrNo(value)
			return err
		},
	},
	{
		Name:        VarStablePrompts,
		Input:       Prefix + "MODEL_STABLE_PROMPTS",
		Type:        InputBoolean,
		Default:     "NO",
		Description: "YES moves what differs between the sessions of a coding agent, such as paths and dates, from its system prompt to the first message: a new session starts sooner.",
		store: func(value string, s *Settings) (err error) {
			s.StablePrompts, err = yesOrNo(value)
			return err
		},
	},
}

// Variables returns the table in the order in which users see the inputs. Which models there are
// is not in it.
func Variables() []Variable { return slices.Clone(variables) }

// VariablesFor returns the table as users of an image see it that contains the models with these ids,
// the one that is served by default first. With one model there is nothing to choose.
func VariablesFor(models []string) []Variable {
	offered := Variables()
	i := slices.IndexFunc(offered, func(v Variable) bool { return v.Name == VarModel })
	if len(models) < 2 {
		return slices.Delete(offered, i, i+1)
	}
	offered[i].Options, offered[i].Default = strings.Join(models, ","), models[0]
	return offered
}

// UserInput returns the variable's USER_INPUTS entry,
// "O|<type>|<description>|<options>|<default>". OpenNebula requires exactly five fields, and a
// blank if there are no options.
func (v Variable) UserInput() string {
	options := v.Options
	if options == "" {
		options = " "
	}
	return strings.Join([]string{"O", string(v.Type), v.Description, options, v.Default}, "|")
}

// ParseSettings validates the values of a context and returns the settings. White space around a
// value does not count, because forms add it. Absent and empty values get their defaults. The
// error joins one error per mistake, each naming its variable; it never contains a secret value.
func ParseSettings(context map[string]string) (Settings, error) {
	var settings Settings
	var mistakes []error
	for _, v := range variables {
		value := cmp.Or(v.in(context), v.Default)
		if value == "" {
			continue
		}
		err := v.store(value, &settings)
		if reference.MatchString(value) {
			err = errors.New("must be a value; this is a reference that OpenNebula did not replace")
		}
		for _, one := range each(err) {
			mistakes = append(mistakes, v.mistake(value, one))
		}
	}
	mistakes = append(mistakes, otherThanPassword(settings)...)
	if (lookUp(context, VarCertificate) == "") != (lookUp(context, VarKey) == "") {
		mistakes = append(mistakes, fmt.Errorf("%s and %s: set both or none", VarCertificate, VarKey))
	}
	return settings, errors.Join(mistakes...)
}

// reference matches what OpenNebula replaces by the value of an attribute of the template.
var reference = regexp.MustCompile(`^\$\{?[A-Za-z_][A-Za-z0-9_]*(\[[^]]*\])?\}?$`)

// in returns the variable's value in a context: that of its name, else that of its user input,
// which a template written by hand may pass under its own name.
func (v Variable) in(context map[string]string) string {
	return cmp.Or(lookUp(context, v.Name), lookUp(context, v.Input))
}

func lookUp(context map[string]string, name string) string {
	return strings.TrimSpace(context[name])
}

// Doubts returns a sentence for each value in a valid context that may not be what its writer
// meant. It contains no secret value.
func Doubts(context map[string]string) []string {
	var doubts []string
	for _, v := range variables {
		value, input := lookUp(context, v.Name), lookUp(context, v.Input)
		if value != "" && input != "" && value != input {
			doubts = append(doubts, fmt.Sprintf("%s is not used, because %s is set too", v.Input, v.Name))
		}
		if strings.Contains(v.in(context), "$") {
			doubts = append(doubts, fmt.Sprintf("%s contains a $: onevm updateconf takes the name that follows it for a variable and removes it, so choose another character", v.Name))
		}
	}
	return doubts
}

// UnknownNames returns, sorted, the names in a context that have our prefix but are not in the
// table. They deserve a warning (a misspelling, or a variable of a newer image), but the
// appliance should still serve.
func UnknownNames(context map[string]string) []string {
	var unknown []string
	for name := range context {
		isOurs := func(v Variable) bool { return v.Name == name || v.Input == name }
		if strings.HasPrefix(name, Prefix) && !slices.ContainsFunc(variables, isOurs) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// each returns the errors that are joined in one: none for nil, itself for one that joins none.
func each(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	}
	return []error{err}
}

func (v Variable) mistake(value string, err error) error {
	// Quoting a multi-line text would obscure the rule it breaks.
	if v.Secret || v.PEM {
		return fmt.Errorf("%s: %w", v.Name, err)
	}
	return fmt.Errorf("%s: %w, got %s", v.Name, err, quote(value))
}

// maxQuoted is how much of a value a message repeats, in characters.
const maxQuoted = 80

// quote returns a value for a message: on one line, not longer than that, without the
// credentials of a URL.
func quote(value string) string {
	if scheme, rest, isURL := strings.Cut(value, "://"); isURL {
		if end := strings.LastIndexByte(rest, '@'); end >= 0 {
			value = scheme + "://***" + rest[end:]
		}
	}
	if characters := []rune(value); len(characters) > maxQuoted {
		return fmt.Sprintf("%q...", string(characters[:maxQuoted]))
	}
	return strconv.Quote(value)
}

func integer(value string, low, high int) (int, error) {
	n, err := strconv.Atoi(value)
	if err != nil || n < low || n > high {
		return 0, fmt.Errorf("must be a whole number from %d to %d", low, high)
	}
	return n, nil
}
