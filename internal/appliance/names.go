package appliance

// What the appliance is called, in each of the spellings a reader meets.
const (
	// Name is the one spelling used for files, units, directories and images.
	Name = "slm-copilot"
	// Title is the spelling shown to people.
	Title = "SLM-Copilot"
	// APIUser is the user name for HTTP Basic; the password alone is enough for
	// Bearer and x-api-key.
	APIUser = "copilot"
	// ServiceUser and ServiceGroup own nothing but what LocalAI writes at run time.
	ServiceUser  = "localai"
	ServiceGroup = "localai"
)

// The model that is baked in unless the release engineer names another.
const (
	// ModelID is the id clients send as "model".
	ModelID = "devstral-small-2"
	// ModelFile is the file of the weights below ModelsDir, whatever its name was
	// at its source: one fixed name keeps the rendered configuration the same for
	// every model.
	ModelFile = "model.gguf"
)

// Programs and payload inside the VM. All of it is read-only to the service.
const (
	AgentPath     = "/usr/sbin/slm-copilot"
	LocalAIDir    = "/opt/local-ai"
	LocalAIBinary = LocalAIDir + "/bin/local-ai"
	BackendsDir   = LocalAIDir + "/backends"
	// BackendName is the directory below BackendsDir; a plain directory holding
	// run.sh needs no metadata to be found.
	BackendName = "llama-cpp"
	ModelsDir   = LocalAIDir + "/models"
	// StateDir holds what must survive a reboot; StateDir/localai belongs to the
	// service, the rest to root.
	StateDir        = "/var/lib/slm-copilot"
	LocalAIStateDir = StateDir + "/localai"
	// BakedDir describes what was baked into the image.
	BakedDir = "/usr/share/slm-copilot"
	// BakedFile is the JSON document (type Baked) the provisioner leaves for the
	// agent: which model, under which id.
	BakedFile = BakedDir + "/baked.json"
	// BakedLock pins everything that was baked, BakedSBOM lists it with its licences
	// (SPDX 2.3, JSON).
	BakedLock = BakedDir + "/slm-copilot.lock.hcl"
	BakedSBOM = BakedDir + "/sbom.spdx.json"
	// ModelDiskLabel is the label of the file system on a disk that holds ModelFile
	// alone, where the weights are not on the root disk. It is mounted at ModelsDir.
	ModelDiskLabel = "slm-model"
)

// AttachedSerial is the serial number of a disk whose bytes are the payload with this
// SHA-256 (lower-case hexadecimal): its first 20 digits, as many as a virtio disk can
// carry. The guest finds it as /dev/disk/by-id/virtio-<serial>.
func AttachedSerial(sha256 string) string {
	return sha256[:20]
}

// Configuration the agent renders inside the VM.
const (
	ConfigDir = "/etc/slm-copilot"
	// LocalAIEnvFile holds LocalAI's key, so it is readable by root alone; systemd
	// reads it before it drops privileges.
	LocalAIEnvFile = ConfigDir + "/local-ai.env"
	// ModelConfigDir is what LOCALAI_MODELS_PATH points at: LocalAI reads model
	// files (YAML) and finds the weights (a symlink into ModelsDir) in one place.
	ModelConfigDir = ConfigDir + "/models"
	NginxSite      = ConfigDir + "/nginx-site.conf"
	NginxEnabled   = "/etc/nginx/sites-enabled/slm-copilot.conf"
	TLSDir         = ConfigDir + "/tls"
	// CACert and CAKey are the per-VM root; the key never leaves the VM.
	CACert = TLSDir + "/ca.pem"
	CAKey  = TLSDir + "/ca.key"
	// ServerCert and ServerKey are what nginx names: symlinks that lead to one file, the
	// certificate in use with its key.
	ServerCert = TLSDir + "/server.pem"
	ServerKey  = TLSDir + "/server.key"
	// ACMEDir, ACMEWorkDir and ACMELogsDir are certbot's own directories.
	ACMEDir     = "/etc/letsencrypt"
	ACMEWorkDir = "/var/lib/letsencrypt"
	ACMELogsDir = "/var/log/letsencrypt"
	// ACMECAFile holds the certificates by which the ACME server is trusted, if they are
	// not those of the system; CertbotEnvFile then tells certbot's own service of them.
	ACMECAFile     = TLSDir + "/acme-ca.pem"
	CertbotEnvFile = ConfigDir + "/certbot.env"
	// WebRoot holds what nginx serves as files: the root certificate and the
	// answers of an ACME challenge. World-readable by design.
	WebRoot = "/var/www/slm-copilot"

	// ReloadingFile is there while the backend is brought back: nginx answers 503 then.
	ReloadingFile = "/run/slm-copilot/reloading"

	PasswordFile = StateDir + "/password"
	// EngineKeyFile is LocalAI's own API key: nginx puts it in place of the
	// client's credentials, so that nothing on the VM reaches LocalAI without it.
	EngineKeyFile = StateDir + "/engine-key"
)

// Where the agent tells people and programs how it is doing. The first three follow
// OpenNebula's service appliances.
const (
	StatusFile = "/etc/one-appliance/status"
	ReportFile = "/etc/one-appliance/config"
	LogFile    = "/var/log/one-appliance/slm-copilot.log"
	StatusJSON = StateDir + "/status.json"
	MOTDFile   = "/etc/motd"
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
	// WatchUnit brings the engine's backend back when it dies.
	WatchUnit = "slm-copilot-watch.service"
	// CertificateUnit renews certificates when CertificateTimer says so.
	CertificateUnit  = "slm-copilot-certificate.service"
	CertificateTimer = "slm-copilot-certificate.timer"
	UnitDir          = "/etc/systemd/system"
)

// Context delivery, as OpenNebula does it.
const (
	// ContextLabel is the volume label of the CONTEXT CD-ROM.
	ContextLabel = "CONTEXT"
	// ContextFile is the file on it that holds NAME='value' lines.
	ContextFile = "context.sh"
	// ContextCopy is what one-context keeps of the context it applied last, and
	// EarlyContextCopy what it keeps of the stage before, which ends before ours starts.
	ContextCopy      = "/run/one-context/context.sh.network"
	EarlyContextCopy = "/run/one-context/context.sh.online"
	// TokenFile is the file beside ContextFile that holds the OneGate token.
	TokenFile = "token.txt"
	// VarOneGateEndpoint and VarVMID are the context names under which a machine finds
	// OneGate and itself. VarOneGateToken is the token, where it comes as a value.
	VarOneGateEndpoint = "ONEGATE_ENDPOINT"
	VarOneGateToken    = "ONEGATE_TOKEN"
	VarVMID            = "VMID"
	// VarHostname is the host name that the machine is given.
	VarHostname = "SET_HOSTNAME"
	// VarReportReady has one-context report READY=YES as soon as its own work is done,
	// unless a script says that the machine is not ready yet.
	VarReportReady     = "REPORT_READY"
	VarReadyScript     = "READY_SCRIPT"
	VarReadyScriptPath = "READY_SCRIPT_PATH"
	// ReadyScript succeeds only if the model answers.
	ReadyScript = AgentPath + " status"
	// ReadyHook is one-context's own, and runs after ContextHook.
	ReadyHook = "/etc/one-context.d/net-99-report-ready"
	// ContextHook is the file that makes one-context call the agent.
	ContextHook = "/etc/one-context.d/net-92-slm-copilot"
)

// Ports. LocalAI listens on the loopback address only.
const (
	LocalAIAddress = "127.0.0.1:8080"
	HTTPPort       = 80
	HTTPSPort      = 443
)

// HTTP paths the appliance answers. Everything else is 404.
const (
	PathHealth      = "/health"
	PathReadyz      = "/readyz"
	PathMetrics     = "/metrics"
	PathCA          = "/ca.pem"
	PathModels      = "/v1/models"
	PathChat        = "/v1/chat/completions"
	PathCompletions = "/v1/completions"
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

// Baked says what the image holds. The provisioner writes it to BakedFile as JSON,
// the agent reads it.
type Baked struct {
	// ModelID is the id clients send as "model".
	ModelID string `json:"model_id"`
	// ModelName and Quantization are for people: "Devstral Small 2 24B", "Q4_K_M".
	ModelName    string `json:"model_name"`
	Quantization string `json:"quantization"`
	// LocalAIVersion is the version of the engine, "v4.9.0".
	LocalAIVersion string `json:"localai_version"`
	// ApplianceVersion is the version of the image.
	ApplianceVersion string `json:"appliance_version"`
	// MemoryMiB is the memory of a virtual machine in which the model has a context of
	// DefaultContextSize.
	MemoryMiB int `json:"memory_mib,omitempty"`
	// ModelDisk says that the weights are on a disk of their own, labelled ModelDiskLabel.
	ModelDisk bool `json:"model_disk,omitempty"`
}
