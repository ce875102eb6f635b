package acceptance

import (
	"context"
	"time"
)

const (
	// answerTimeout bounds a check that needs nginx alone; it holds more than a dozen
	// handshakes of a slow, emulated guest.
	answerTimeout = 2 * time.Minute
	// modelTimeout is what a large model on a slow host may need for sixteen tokens, and
	// then some.
	modelTimeout = 10 * time.Minute
)

// Check is one promise of the appliance.
type Check struct {
	Name string
	// Timeout bounds it.
	Timeout time.Duration
	// Run returns what was seen, in a few words, or what was wrong.
	Run func(context.Context, *Target) (detail string, err error)
}

// Checks are all promises, in the order in which a client meets them. The closed routes
// come last: on an appliance that leaves them open, asking for them stops the model.
func Checks() []Check {
	return []Check{
		{"root certificate is offered", answerTimeout, rootOffered},
		{"certificate is trusted", answerTimeout, certificateTrusted},
		{"TLS 1.2 and 1.3 are spoken", answerTimeout, currentTLSSpoken},
		{"TLS 1.1 is refused", answerTimeout, oldTLSRefused},
		{"http redirects to https", answerTimeout, redirects},
		{"health needs no password", answerTimeout, healthOpen},
		{"no credentials are refused", answerTimeout, noCredentialsRefused},
		{"wrong credentials are refused", answerTimeout, wrongCredentialsRefused},
		{"Bearer is accepted", answerTimeout, bearerAccepted},
		{"Basic is accepted", answerTimeout, basicAccepted},
		{"x-api-key is accepted", answerTimeout, apiKeyAccepted},
		{"models lists the model", answerTimeout, modelListed},
		{"chat answers", modelTimeout, chatAnswers},
		{"chat streams", modelTimeout, chatStreams},
		{"preflight needs no password", answerTimeout, preflightOpen},
		{"CORS headers appear once", answerTimeout, corsOnce},
		{"unknown path is not found", answerTimeout, unknownNotFound},
		{"administration is closed", answerTimeout, administrationClosed},
	}
}
