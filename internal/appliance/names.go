package appliance

// The appliance's names, in every spelling in use.
const (
	// Name is the spelling used for files, units, directories and images.
	Name = "slm-copilot"
	// Title is the spelling shown to people.
	Title = "SLM-Copilot"
	// APIUser is the user name for HTTP Basic; the password alone is enough for
	// Bearer and x-api-key.
	APIUser = "copilot"
	// ServiceUser and ServiceGroup own only what LocalAI writes at run time.
	ServiceUser  = "localai"
	ServiceGroup = "localai"
	// GatewayUser owns nothing. ProxyGroup is that of nginx's workers on Debian and Ubuntu: only
	// they may connect to the gateway.
	GatewayUser = "slm-gateway"
	ProxyGroup  = "www-data"
)

// The default model, baked in unless the template specifies another.
const (
	// ModelID is the id clients send as "model".
	ModelID = "devstral-small-2"
	// ModelFile is the name of the weights file in ModelsDir, whatever its name was at the
	// source: a fixed name keeps the rendered configuration the same for every model.
	ModelFile = "model.gguf"
)

// Programs and payload inside the VM. The service cannot write to any of them.
const (
	AgentPath     = "/usr/sbin/slm-copilot"
	LocalAIDir    = "/opt/local-ai"
	LocalAIBinary = LocalAIDir + "/bin/local-ai"
	BackendsDir   = LocalAIDir + "/backends"
	// BackendName is the directory in BackendsDir; LocalAI finds a plain directory that
	// contains run.sh without any metadata.
	BackendName = "llama-cpp"
	ModelsDir   = LocalAIDir + "/models"
	// StateDir contains what must survive a reboot; StateDir/localai and StateDir/gateway belong to
	// the services, the rest to root.
	StateDir        = "/var/lib/slm-copilot"
	LocalAIStateDir = StateDir + "/localai"
	GatewayStateDir = StateDir + "/gateway"
	// BakedDir describes what was baked into the image.
	BakedDir = "/usr/share/slm-copilot"
	// BakedFile is the JSON document (type Baked) that the provisioner writes for the agent:
	// which model, under which id.
	BakedFile = BakedDir + "/baked.json"
	// BakedLock pins everything that was baked, BakedSBOM lists it with its licences
	// (SPDX 2.3, JSON).
	BakedLock = BakedDir + "/slm-copilot.lock.hcl"
	BakedSBOM = BakedDir + "/sbom.spdx.json"
	// BakedLicenses holds the texts of these licences, but for those of the distribution's
	// packages.
	BakedLicenses = BakedDir + "/licenses.txt"
	// ModelDiskLabel is the label of the file system on a disk that contains only weights,
	// for images that do not have them on the root disk. It is mounted at ModelsDir.
	ModelDiskLabel = "slm-model"
)

// AttachedSerial returns the serial number of a disk whose content is the payload with this
// SHA-256 (lower-case hexadecimal): its first 20 digits, the maximum for a virtio disk. The
// guest finds the disk as /dev/disk/by-id/virtio-<serial>.
func AttachedSerial(sha256 string) string {
	return sha256[:20]
}

// Configuration the agent renders inside the VM.
const (
	ConfigDir = "/etc/slm-copilot"
	// LocalAIEnvFile contains LocalAI's key, so only root can read it; systemd reads it before
	// dropping privileges.
	LocalAIEnvFile = ConfigDir + "/local-ai.env"
	// ModelConfigDir is the value of LOCALAI_MODELS_PATH: LocalAI reads model configurations
	// (YAML) and finds the weights (a symlink into ModelsDir) in one directory.
	ModelConfigDir = ConfigDir + "/models"
	// ChatTemplateFile is used in place of the chat template that the model's file carries, if
	// that refuses what coding agents send.
	ChatTemplateFile = ConfigDir + "/chat-template.jinja"
	// GatewayConfigFile is the gateway's, without a secret.
	GatewayConfigFile = ConfigDir + "/gateway.json"
	NginxSite         = ConfigDir + "/nginx-site.conf"
	// NginxNames is included by NginxSite: what changes with certificates and addresses.
	NginxNames = ConfigDir + "/nginx-names.conf"
	// NginxKeys is included by NginxSite too: the keys beside the password.
	NginxKeys    = ConfigDir + "/nginx-keys.conf"
	NginxEnabled = "/etc/nginx/sites-enabled/slm-copilot.conf"
	TLSDir       = ConfigDir + "/tls"
	// CACert and CAKey are the per-VM root CA; the key never leaves the VM.
	CACert = TLSDir + "/ca.pem"
	CAKey  = TLSDir + "/ca.key"
	// ServerCert and ServerKey are the paths in nginx's configuration: symlinks to one file,
	// which contains the certificate in use and its key.
	ServerCert = TLSDir + "/server.pem"
	ServerKey  = TLSDir + "/server.key"
	// ACMEDir, ACMEWorkDir and ACMELogsDir are certbot's own directories.
	ACMEDir     = "/etc/letsencrypt"
	ACMEWorkDir = "/var/lib/letsencrypt"
	ACMELogsDir = "/var/log/letsencrypt"
	// ACMECAFile contains the CA certificates to trust for the ACME server, if they are not
	// those of the system; CertbotEnvFile then passes the path to certbot's own service.
	ACMECAFile     = TLSDir + "/acme-ca.pem"
	CertbotEnvFile = ConfigDir + "/certbot.env"
	// WebRoot contains what nginx serves as files: the root certificate and the responses to
	// ACME challenges. World-readable by design.
	WebRoot = "/var/www/slm-copilot"

	// ReloadingFile exists while the backend is being reloaded: nginx answers 503 then.
	ReloadingFile = "/run/slm-copilot/reloading"

	PasswordFile = StateDir + "/password"
	// EngineKeyFile contains LocalAI's own API key, which the gateway sends: nothing on the VM can
	// use LocalAI without it.
	EngineKeyFile = StateDir + "/engine-key"

	// BeginningsFile has what the prompts of agents begin with, for a warm start.
	BeginningsFile = GatewayStateDir + "/beginnings.json"
)

// Where the agent reports its state to people and programs. The first three follow
// OpenNebula's service appliances.
const (
	StatusFile = "/etc/one-appliance/status"
	ReportFile = "/etc/one-appliance/config"
	LogFile    = "/var/log/one-appliance/slm-copilot.log"
	StatusJSON = StateDir + "/status.json"
	// SpeedFile is what the last benchmark has measured, in JSON (package speed of the agent).
	SpeedFile = StateDir + "/speed.json"
	MOTDFile  = "/etc/motd"
	// ReadyPhrase is in the MOTD of a healthy appliance; OpenNebula's community
	// tests look for it.
	ReadyPhrase = "All set and ready to serve"
)

// systemd units.
const (
	LocalAIUnit   = "local-ai.service"
	NginxUnit     = "nginx.service"
	ConfigureUnit = "slm-copilot-configure.service"
	BootstrapUnit = "slm-copilot-bootstrap.service"
	// GatewayUnit is what stands between nginx and LocalAI, GatewaySocketUnit its socket.
	GatewayUnit       = "slm-copilot-gateway.service"
	GatewaySocketUnit = "slm-copilot-gateway.socket"
	// BenchmarkUnit measures the speed of a model that was not measured yet; bootstrap starts it.
	BenchmarkUnit = "slm-copilot-benchmark.service"
	// WatchUnit reloads the engine's backend when it dies.
	WatchUnit = "slm-copilot-watch.service"
	// CertificateUnit renews certificates; CertificateTimer starts it.
	CertificateUnit  = "slm-copilot-certificate.service"
	CertificateTimer = "slm-copilot-certificate.timer"
	UnitDir          = "/etc/systemd/system"
)

// Context delivery, as in OpenNebula.
const (
	// ContextLabel is the volume label of the CONTEXT CD-ROM.
	ContextLabel = "CONTEXT"
	// ContextFile is the file on the CD-ROM with the NAME='value' lines.
	ContextFile = "context.sh"
	// ContextCopy is one-context's copy of the context it applied last, EarlyContextCopy that
	// of the stage before, which ends before our hook starts.
	ContextCopy      = "/run/one-context/context.sh.network"
	EarlyContextCopy = "/run/one-context/context.sh.online"
	// TokenFile is the file beside ContextFile that holds the OneGate token.
	TokenFile = "token.txt"
	// VarOneGateEndpoint and VarVMID are the context variables with OneGate's URL and the VM's
	// id. VarOneGateToken is the token, if it is passed as a value.
	VarOneGateEndpoint = "ONEGATE_ENDPOINT"
	VarOneGateToken    = "ONEGATE_TOKEN"
	VarVMID            = "VMID"
	// VarHostname is the context variable that sets the host name.
	VarHostname = "SET_HOSTNAME"
	// VarReportReady makes one-context report READY=YES as soon as its own work is done,
	// unless a ready script says that the VM is not ready yet.
	VarReportReady     = "REPORT_READY"
	VarReadyScript     = "READY_SCRIPT"
	VarReadyScriptPath = "READY_SCRIPT_PATH"
	// ReadyScript succeeds only if the model answers.
	ReadyScript = AgentPath + " status"
	// ReadyHook is one-context's own hook, and runs after ContextHook.
	ReadyHook = "/etc/one-context.d/net-99-report-ready"
	// ContextHook is the file through which one-context calls the agent.
	ContextHook = "/etc/one-context.d/net-92-slm-copilot"
)

// GatewaySocket is where the gateway listens.
const GatewaySocket = "/run/slm-copilot-gateway.sock"

// EngineSlots is how many answers LocalAI computes at a time.
const EngineSlots = 1

// Ports. LocalAI listens on the loopback address only.
const (
	LocalAIAddress = "127.0.0.1:8080"
	HTTPPort       = 80
	HTTPSPort      = 443
)

// Limits of nginx that are not those of a site.
const (
	// NginxConnections is for one worker. By default it is 768 on Debian and Ubuntu: half-sent
	// requests of a single client take all of them.
	NginxConnections = 8192
	// NginxOpenFiles is for one worker: a client and the engine, and files besides.
	NginxOpenFiles = 4 * NginxConnections
)

// BodyLimit is the size of the largest request, in bytes. LocalAI's default is "15M" for echo's
// body limit, which reads that as millions of bytes (github.com/labstack/gommon/bytes).
const BodyLimit = 15_000_000

// HTTP paths the appliance serves. Everything else is 404.
const (
	PathHealth      = "/health"
	PathReadyz      = "/readyz"
	PathMetrics     = "/metrics"
	PathCA          = "/ca.pem"
	PathModels      = "/v1/models"
	PathChat        = "/v1/chat/completions"
	PathCompletions = "/v1/completions"
	PathResponses   = "/v1/responses"
	PathMessages    = "/v1/messages"
	PathCountTokens = "/v1/messages/count_tokens"
)

// Headers in which nginx tells the gateway who asks: the address, and the name of the key, which is
// APIUser for the password. Clients cannot set them.
const (
	HeaderClient = "X-Copilot-Client"
	HeaderKey    = "X-Copilot-Key"
	// HeaderAppliance is in answers of the API and says what gave them.
	HeaderAppliance = "X-Copilot-Appliance"
)

// ReportPrefix is that of what the appliance tells OpenNebula of its speed.
const ReportPrefix = "SLM_COPILOT_"

// BenchmarkClient is the client of the gateway, in HeaderClient, whose requests run only while nobody else asks.
const BenchmarkClient = "benchmark"

// CodeGivenUp is the code of the error that ends a benchmark when somebody asks the model.
const CodeGivenUp = "given_up"

// Numbers of the gateway at PathMetrics that commands of the agent read.
const (
	MetricReceived      = "slm_copilot_gateway_received_total"
	MetricRequests      = "slm_copilot_gateway_requests_total"
	MetricInHand        = "slm_copilot_gateway_in_hand"
	MetricWaiting       = "slm_copilot_gateway_waiting"
	MetricRunning       = "slm_copilot_gateway_running"
	MetricPromptTokens  = "slm_copilot_gateway_prompt_tokens_total"
	MetricAnswerTokens  = "slm_copilot_gateway_answer_tokens_total"
	MetricEngineSeconds = "slm_copilot_gateway_engine_seconds_total"
	// By the program that asked: the tokens of its prompts, how often one did not begin with the one
	// before in its conversation, and how many tokens the engine therefore read again.
	MetricProgramTokens = "slm_copilot_gateway_program_prompt_tokens_total"
	MetricParted        = "slm_copilot_gateway_parted_total"
	MetricAgain         = "slm_copilot_gateway_read_again_tokens_total"
	// MetricStart is when the numbers began, in Unix time.
	MetricStart = "slm_copilot_gateway_start_time_seconds"
)

// Status words written to StatusFile: "<step>_<result>".
const (
	InstallSuccess   = "install_success"
	ConfigureStarted = "configure_started"
	ConfigureSuccess = "configure_success"
	ConfigureFailure = "configure_failure"
	BootstrapStarted = "bootstrap_started"
	BootstrapSuccess = "bootstrap_success"
	BootstrapFailure = "bootstrap_failure"
)

// The programs that can apply the context to the operating system. OneContext is OpenNebula's
// own, and the name of its package.
const (
	OneContext = "one-context"
	CloudInit  = "cloud-init"
)
