// Package plan computes which files a virtual machine should have. It reads and writes
// nothing.
package plan

import (
	"io/fs"
	"path"
	"regexp"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/fit"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/model/gguf"
	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/vm/onecontext"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/certs"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/gateway/history"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/localai"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/machine"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/nginx"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/secret"
	"github.com/slm-copilot/packer-plugin-slm-copilot/runtime-agent/vmcontext"
)

const (
	// BootIDFile identifies the boot for which the server certificate was made.
	BootIDFile = appliance.StateDir + "/boot-id"

	modelFileName = "model.yaml"
)

// Input is everything the files depend on.
type Input struct {
	Settings appliance.Settings
	// Context is stored as the last good one; nil keeps the stored one.
	Context map[string]string
	// Token came with the context; empty if there was none.
	Token string
	Baked appliance.Baked
	Facts machine.Facts
	// Fit is what the machine's memory allows. Refused does without it.
	Fit fit.Result
	// ChatTemplate is the one that the model's file carries, in Jinja.
	ChatTemplate string
	// FIM are the tokens with which the model fills in the middle.
	FIM gguf.FIM
	// Vocabulary is that of the model, ModelTime when its file was made.
	Vocabulary gguf.Vocabulary
	ModelTime  time.Time
	Password   string
	EngineKey  string
	TLS        certs.Chosen
	// Hosts are the names and addresses that the machine goes by, addresses of IPv6 in brackets.
	Hosts []string
	// Warnings are what the user should know about how the settings were applied.
	Warnings []string
}

// Threads is the engine's number of threads: the user's, or what suits the processors.
func (in Input) Threads() int {
	if in.Settings.Threads > 0 {
		return in.Settings.Threads
	}
	return max(in.Facts.Threads, 1)
}

// Directory is a directory that must exist.
type Directory struct {
	Path string
	Mode fs.FileMode
	// Owner is the name of a user and of his group.
	Owner string
}

// Entry is a file of root's, or a link if LinkTo is set.
type Entry struct {
	Path    string
	Mode    fs.FileMode
	Content []byte
	LinkTo  string
	// Units are reloaded or restarted after a change.
	Units []string
	// Hidden matches the parts of Content that must never be shown; nil hides nothing.
	Hidden *regexp.Regexp
}

// Plan is the desired state.
type Plan struct {
	Directories []Directory
	// Proxy is what nginx must accept before anything else may be changed.
	Proxy []Entry
	Rest  []Entry
}

// Refused computes the plan of a machine whose settings were refused before there were any
// good ones: nginx says so, and the engine has no configuration to start with.
func Refused(in Input) Plan {
	return Plan{Directories: directories(), Proxy: proxy(in, nginx.Site.RenderRefused), Rest: []Entry{bootID(in)}}
}

// Make computes the plan. A new key does not have bootstrap ask the model, which may be busy for long, nor the
// machine said to be unready until then.
func Make(in Input) Plan {
	keys := hide(nginx.Secrets, file(appliance.NginxKeys, 0o640, nginx.Site{Keys: in.Settings.Keys}.RenderKeys(), appliance.NginxUnit))
	return Plan{Directories: directories(), Proxy: append([]Entry{keys}, proxy(in, nginx.Site.Render)...), Rest: rest(in)}
}

// Certificates computes the plan of a machine that has everything but certificates that are due.
func Certificates(chosen certs.Chosen, hosts []string, acmeCA []byte) Plan {
	return Plan{Directories: directories(), Proxy: proxyCertificates(chosen, hosts), Rest: restCertificates(chosen, acmeCA)}
}

func directories() []Directory {
	const root, service = "root", appliance.ServiceUser
	return []Directory{
		{appliance.ConfigDir, 0o755, root},
		{appliance.ModelConfigDir, 0o755, root},
		{appliance.TLSDir, 0o755, root},
		{appliance.TLSDir + "/self", 0o700, root},
		{appliance.TLSDir + "/acme", 0o700, root},
		{appliance.TLSDir + "/operator", 0o700, root},
		// nginx's workers must be able to read a challenge, whatever the umask is.
		{path.Dir(appliance.WebRoot), 0o755, root},
		{appliance.WebRoot, 0o755, root},
		{appliance.StateDir, 0o755, root},
		{appliance.LocalAIStateDir, 0o750, service},
		{localai.TempDir, 0o700, service},
	}
}

func proxy(in Input, render func(nginx.Site) []byte) []Entry {
	site := nginx.Site{
		HTTPListen:    nginx.Listen(appliance.HTTPPort, in.Facts.IPv6),
		HTTPSListen:   nginx.Listen(appliance.HTTPSPort, in.Facts.IPv6),
		Upstream:      "unix:" + appliance.GatewaySocket,
		Certificate:   appliance.ServerCert,
		Key:           appliance.ServerKey,
		WebRoot:       appliance.WebRoot,
		ReloadingFile: appliance.ReloadingFile,
		Password:      in.Password,
		KeysFile:      appliance.NginxKeys,
		CORSOrigins:   in.Settings.CORSOrigins,
		RateLimit:     in.Settings.RateLimit,
		NamesFile:     appliance.NginxNames,
	}
	return append(proxyCertificates(in.TLS, in.Hosts),
		hide(nginx.Secrets, file(appliance.NginxSite, 0o640, render(site), appliance.NginxUnit, appliance.BootstrapUnit)),
		link(appliance.NginxEnabled, appliance.NginxSite, appliance.NginxUnit, appliance.BootstrapUnit),
	)
}

func rest(in Input) []Entry {
	config := localai.Config{
		ModelID:     in.Baked.ModelID,
		ContextSize: in.Fit.ContextSize,
		CacheType:   in.Fit.CacheType,
		CacheRAM:    in.Fit.CacheRAM,
		Threads:     in.Threads(),
		Sampling:    in.Baked.EngineSampling(),
		APIKey:      in.EngineKey,
	}
	// The gateway restarts with the engine: it has read the key.
	engine := []string{appliance.LocalAIUnit, appliance.GatewayUnit, appliance.BootstrapUnit}
	var entries []Entry
	template := in.ChatTemplate
	if relaxed := localai.RelaxedTemplate(template); relaxed != "" {
		template = relaxed
		config.ChatTemplateFile = appliance.ChatTemplateFile
		entries = []Entry{file(appliance.ChatTemplateFile, 0o644, []byte(relaxed), engine...)}
	}
	entries = append(entries,
		secretFile(appliance.PasswordFile, secret.Content(in.Password)),
		secretFile(appliance.EngineKeyFile, secret.Content(in.EngineKey)),
		hide(localai.Secrets, file(appliance.LocalAIEnvFile, 0o600, config.Environment(), engine...)),
		file(appliance.ModelConfigDir+"/"+modelFileName, 0o644, config.ModelFile(), engine...),
		link(appliance.ModelConfigDir+"/"+appliance.ModelFile, in.Baked.WeightsFile(), engine...),
		file(appliance.UnitDir+"/"+appliance.LocalAIUnit, 0o644, localai.Unit(), engine...),
	)
	// What else than the engine depends on changes with the engine's files, for which bootstrap asks the model.
	entries = append(entries, file(appliance.GatewayConfigFile, 0o644, gatewayConfig(in, template).Render(), appliance.GatewayUnit))
	entries = append(entries, restCertificates(in.TLS, in.Settings.ACMECA)...)
	if in.Context != nil {
		entries = append(entries,
			secretFile(vmcontext.LastGood, onecontext.Format(in.Context)),
			secretFile(vmcontext.LastToken, secret.Content(in.Token)))
	}
	// Last, so that the run after an interrupted one makes the certificate of this boot again.
	return append(entries, bootID(in))
}

// gatewayConfig is for the chat template that the engine uses.
func gatewayConfig(in Input, template string) gateway.Config {
	return gateway.Config{
		Appliance: in.Baked.Products(),
		Model:     in.Baked.ModelID, Created: in.ModelTime.Unix(), ContextSize: in.Fit.ContextSize, Slots: appliance.EngineSlots, CacheTokens: in.Fit.CacheTokens,
		WarmUp: in.Settings.WarmUp, Beginnings: appliance.BeginningsFile, StablePrompts: in.Settings.StablePrompts,
		Engine: appliance.LocalAIAddress, ReadTimeout: int(in.Settings.ReadTimeout.Seconds()),
		Keys: appliance.KeyNames(in.Settings.Keys), History: history.Of(template), Vocabulary: in.Vocabulary, FIM: in.FIM,
	}
}

// bootID has bootstrap check at each boot that the model answers.
func bootID(in Input) Entry {
	return file(BootIDFile, 0o644, []byte(in.Facts.BootID+"\n"), appliance.BootstrapUnit)
}

func file(path string, mode fs.FileMode, content []byte, units ...string) Entry {
	return Entry{Path: path, Mode: mode, Content: content, Units: units}
}

var everything = regexp.MustCompile(`(?s).+`)

func secretFile(path string, content []byte, units ...string) Entry {
	return hide(everything, file(path, 0o600, content, units...))
}

func hide(secrets *regexp.Regexp, entry Entry) Entry {
	entry.Hidden = secrets
	return entry
}

func link(path, target string, units ...string) Entry {
	return Entry{Path: path, LinkTo: target, Units: units}
}
