package nginx

import (
	"slices"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// refusedMessage is for clients of an appliance whose settings were refused.
const refusedMessage = "The settings of this virtual machine were refused. Its operator finds the reasons with " +
	appliance.Name + " status, as root on the console, and in " + appliance.LogFile + "."

// refusedFailures are those of an appliance whose settings were refused.
func refusedFailures() []failure {
	refused := slices.Clone(failures)
	for i := range refused {
		if refused[i].Status == 503 {
			refused[i].Code = "settings_refused"
			refused[i].Message = refusedMessage
		}
	}
	return refused
}

// RenderRefused returns the site file of a machine that never had valid settings: it says so
// on every path except that of the root certificate. Of the site it uses only where to
// listen, the certificate and the web root; it contains no secret.
func (s Site) RenderRefused() []byte {
	s.CORSOrigins = nil // every web page may read why there is no answer
	return render("refused.conf.tmpl", map[string]any{
		"Site":   s,
		"Page":   appliance.Title + " is not serving. " + refusedMessage + "\n",
		"Errors": refusedFailures(),
	})
}
