package community

import (
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

func ruby(t *testing.T, dir string, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), "ruby", args...)
	command.Dir = dir
	output, err := command.CombinedOutput()
	require.NoError(t, err, "run make setup, or: %s", output)
	return string(output)
}

func TestRubyTakesTheSpec(t *testing.T) {
	dir := checkout(t, exampleFiles(t))
	assert.Equal(t, "Syntax OK\n", ruby(t, dir, "-wc", appDir+"tests/"+specFile))
}

// The expressions are those by which the repository's tests and its CI read the files.
func TestRubyReadsTheYAML(t *testing.T) {
	dir := checkout(t, exampleFiles(t))
	read := func(file, expression string) string {
		return strings.TrimSpace(ruby(t, dir, "-ryaml", "-e", `f = YAML.load_file("`+appDir+file+`"); puts `+expression))
	}
	assert.Equal(t, "slm-copilot", read("metadata.yaml", "f[:app][:name]"))
	assert.Equal(t, "ubuntu2404", read("metadata.yaml", "f[:app][:os][:base]"))
	assert.Equal(t, "base", read("metadata.yaml", "f[:one][:template][:NAME] || f[:one][:template]['NAME']"))
	assert.Equal(t, "qcow2", read("metadata.yaml", "f[:infra][:disk_format]"))
	assert.Equal(t, "90", read("metadata.yaml", "f[:one][:timeout]"))
	assert.Equal(t, "true", read("metadata.yaml", "f[:app][:context][:prefixed]"))
	params := read("metadata.yaml", "f[:app][:context][:params].map {|k, v| k.to_s + '=' + v }.join(',')")
	assert.Contains(t, ","+params+",", ",COPILOT_CONTEXT_SIZE=32768,")
	assert.Equal(t, "slm-copilot.qcow2", read("context.yaml", "f[:tests]['slm-copilot'][:image_name]"))
	assert.Equal(t, specFile, read("tests.yaml", "f[0]"))
}

// appHandler is what the repository gives a spec, with a machine whose files are in a
// directory and whose port 443 is another one here.
const appHandler = `
require 'rspec'
require 'net/http'

class FakeVM
    Result = Struct.new(:stdout, :exitstatus) do
        def success?
            exitstatus.zero?
        end

        def expect_success
            raise 'the command failed' unless success?
        end
    end

    def ip
        '127.0.0.1'
    end

    def ssh(cmd)
        path = File.join(ENV['VM_ROOT'], cmd[/\Acat (\S+)\z/, 1])
        File.exist?(path) ? Result.new(File.read(path), 0) : Result.new('', 1)
    end
end

Net::HTTP.singleton_class.prepend(Module.new do
    def start(host, port, *rest, **options, &block)
        raise "port #{port}" unless port == 443

        super(host, ENV['VM_PORT'].to_i, *rest, **options, &block)
    end
end)

RSpec.shared_context 'vm_handler' do
    before(:all) { @info = { :vm => FakeVM.new } }
end
`

// vm is a machine as the spec sees it.
type vm struct {
	status, motd string
	health       int
	open         bool
	models       string
}

const vmPassword = `Pa"ss' word$1`

// certify runs the spec with the real rspec.
func (v vm) certify(t *testing.T) (string, error) {
	t.Helper()
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, password, _ := r.BasicAuth()
		switch {
		case r.URL.Path == appliance.PathHealth:
			w.WriteHeader(v.health)
		case r.URL.Path != appliance.PathModels:
			w.WriteHeader(http.StatusNotFound)
		case !v.open && (user != appliance.APIUser || password != vmPassword):
			w.WriteHeader(http.StatusUnauthorized)
		default:
			fmt.Fprint(w, v.models)
		}
	}))
	defer server.Close()
	root := t.TempDir()
	for path, content := range map[string]string{
		appliance.StatusFile:   v.status + "\n",
		appliance.MOTDFile:     v.motd,
		appliance.PasswordFile: vmPassword + "\n",
		appliance.CACert:       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755))
		require.NoError(t, os.WriteFile(filepath.Join(root, path), []byte(content), 0o600))
	}
	dir := checkout(t, exampleFiles(t))
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "lib/community"), 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "lib/community/app_handler.rb"), []byte(appHandler), 0o600))
	command := exec.CommandContext(t.Context(), "rspec", "-f", "d", appDir+"tests/"+specFile)
	command.Dir = dir
	_, port, _ := strings.Cut(server.Listener.Addr().String(), ":")
	command.Env = append(os.Environ(), "VM_ROOT="+root, "VM_PORT="+port)
	output, err := command.CombinedOutput()
	require.NotErrorIs(t, err, exec.ErrNotFound, "run make setup")
	return string(output), err
}

func healthy() vm {
	return vm{
		status: appliance.BootstrapSuccess, motd: appliance.ReadyPhrase + " 8)", health: http.StatusOK,
		models: `{"object":"list","data":[{"id":"devstral-small-2"}]}`,
	}
}

func TestSpecPassesAHealthyMachine(t *testing.T) {
	output, err := healthy().certify(t)
	require.NoError(t, err, output)
	assert.Contains(t, output, "5 examples, 0 failures")
	assert.NotContains(t, output, vmPassword)
}

func TestSpecFailsASickMachine(t *testing.T) {
	for name, test := range map[string]struct {
		breakIt func(v *vm)
		failed  string
	}{
		"it refused its settings": {func(v *vm) { v.status = appliance.ConfigureFailure }, "becomes ready"},
		"its model did not load":  {func(v *vm) { v.status = appliance.BootstrapFailure }, "becomes ready"},
		"it says nothing":         {func(v *vm) { v.motd = "Welcome" }, "says so at the login"},
		"health needs a password": {func(v *vm) { v.health = http.StatusUnauthorized }, "answers /health without a password"},
		"it is open to everybody": {func(v *vm) { v.open = true }, "asks for the password everywhere else"},
		"it has no model":         {func(v *vm) { v.models = `{"data":[]}` }, "lists its model to who has the password"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := healthy()
			test.breakIt(&v)
			output, err := v.certify(t)
			require.Error(t, err)
			assert.Contains(t, output, "5 examples, 1 failure", output)
			assert.Contains(t, output, "# slm-copilot "+test.failed)
		})
	}
}
