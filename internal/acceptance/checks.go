package acceptance

import "context"

// Check is one promise of the appliance.
type Check struct {
	Name string
	// Run returns what was seen, in a few words, or what was wrong.
	Run func(context.Context, *Target) (detail string, err error)
}

// Checks are all promises, in the order in which a client meets them. The closed routes
// come last: on an appliance that leaves them open, asking for them stops the model.
func Checks() []Check {
	return []Check{
		{"root certificate is offered", rootOffered},
		{"certificate is signed by the root", certificateSigned},
		{"TLS 1.2 and 1.3 are spoken", currentTLSSpoken},
		{"TLS 1.1 is refused", oldTLSRefused},
		{"http redirects to https", redirects},
		{"health needs no password", healthOpen},
		{"no credentials are refused", noCredentialsRefused},
		{"wrong credentials are refused", wrongCredentialsRefused},
		{"Bearer is accepted", bearerAccepted},
		{"Basic is accepted", basicAccepted},
		{"x-api-key is accepted", apiKeyAccepted},
		{"models lists the model", modelListed},
		{"chat answers", chatAnswers},
		{"chat streams", chatStreams},
		{"preflight needs no password", preflightOpen},
		{"CORS headers appear once", corsOnce},
		{"unknown path is not found", unknownNotFound},
		{"administration is closed", administrationClosed},
	}
}
