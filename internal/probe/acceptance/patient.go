package acceptance

import (
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/retry"
)

// patient repeats a request that a rate limit refused, after the time that the answer asks for:
// the limit is a setting of the operator, not a fault. The deadline of the request ends it.
type patient struct {
	transport http.RoundTripper
	say       func(string)
}

func (p patient) RoundTrip(request *http.Request) (*http.Response, error) {
	for {
		response, err := p.transport.RoundTrip(request)
		if err != nil || response.StatusCode != http.StatusTooManyRequests {
			return response, err
		}
		seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
		if err != nil || seconds < 1 || request.Body != nil && request.GetBody == nil {
			return response, nil
		}
		response.Body.Close()
		if p.say != nil {
			p.say(fmt.Sprintf("waiting %d s, as the rate limit asks", seconds))
		}
		if err := retry.Sleep(request.Context(), time.Duration(seconds)*time.Second); err != nil {
			return nil, err
		}
		again := request.Clone(request.Context())
		if request.GetBody != nil {
			if again.Body, err = request.GetBody(); err != nil {
				return nil, err
			}
		}
		request = again
	}
}
