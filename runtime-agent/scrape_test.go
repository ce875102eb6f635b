package main

import (
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// scrapeConfig is what the documentation uses of Prometheus's configuration
// (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config).
type scrapeConfig struct {
	JobName       string `yaml:"job_name"`
	Scheme        string `yaml:"scheme"`
	MetricsPath   string `yaml:"metrics_path"`
	StaticConfigs []struct {
		Targets []string `yaml:"targets"`
	} `yaml:"static_configs"`
	TLSConfig struct {
		CAFile string `yaml:"ca_file"`
	} `yaml:"tls_config"`
	Authorization struct {
		CredentialsFile string `yaml:"credentials_file"`
	} `yaml:"authorization"`
	BasicAuth struct {
		Username     string `yaml:"username"`
		PasswordFile string `yaml:"password_file"`
	} `yaml:"basic_auth"`
}

// documentedScrapes returns the configuration of the documentation, with each of the ways to send the key.
func documentedScrapes(t *testing.T) []string {
	t.Helper()
	blocks := regexp.MustCompile("(?ms)^```yaml\n(.*?)^```$").FindAllStringSubmatch(readFile(t, "../docs/appliance.md"), -1)
	require.Len(t, blocks, 2)
	common, bearer, found := strings.Cut(blocks[0][1], "    authorization:\n")
	require.True(t, found)
	return []string{common + "    authorization:\n" + bearer, common + blocks[1][1]}
}

func TestAPrometheusAsTheDocumentationConfiguresIt(t *testing.T) {
	const key = "scrape-wombat-1209"
	s := serveContextWithNginx(t, map[string]string{"ETH0_IP": "127.0.0.1", appliance.VarKeys: "prometheus:" + key})
	file := filepath.Join(t.TempDir(), "key")
	require.NoError(t, os.WriteFile(file, []byte(key), 0o600))
	for _, text := range documentedScrapes(t) {
		// Where the test has them.
		text = strings.NewReplacer("copilot.example.org", s.https, "/etc/prometheus/slm-copilot-ca.pem", s.ca(), "/etc/prometheus/slm-copilot-key", file).Replace(text)
		var config struct {
			ScrapeConfigs []scrapeConfig `yaml:"scrape_configs"`
		}
		decoder := yaml.NewDecoder(strings.NewReader(text))
		decoder.KnownFields(true)
		require.NoError(t, decoder.Decode(&config), text)
		require.Len(t, config.ScrapeConfigs, 1)
		one := config.ScrapeConfigs[0]
		assert.Equal(t, s.ca(), one.TLSConfig.CAFile)
		address := url.URL{Scheme: one.Scheme, Host: one.StaticConfigs[0].Targets[0], Path: one.MetricsPath}
		request, err := http.NewRequest(http.MethodGet, address.String(), nil)
		require.NoError(t, err)
		if one.BasicAuth.Username != "" {
			request.SetBasicAuth(one.BasicAuth.Username, readFile(t, one.BasicAuth.PasswordFile))
		} else {
			request.Header.Set("Authorization", "Bearer "+readFile(t, one.Authorization.CredentialsFile))
		}
		response, err := s.client().Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		numbers, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, response.StatusCode, text)
		assert.Contains(t, string(numbers), appliance.MetricReceived+`{route="/metrics",key="prometheus"}`)
	}
}
