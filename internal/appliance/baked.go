package appliance

import "strings"

// Products names what the image contains as product tokens of HTTP (RFC 9110, section 10.1.5):
// "slm-copilot/1.0.0 LocalAI/v4.9.0 devstral-small-2/Q4_K_M".
func (b Baked) Products() string {
	products := []string{Name + "/" + token(b.ApplianceVersion), "LocalAI/" + token(b.LocalAIVersion), token(b.ModelID) + "/" + token(b.Quantization)}
	return strings.Join(products, " ")
}

// token replaces what a token must not contain (RFC 9110, section 5.6.2).
func token(text string) string {
	if text == "" {
		return "unknown"
	}
	return strings.Map(func(r rune) rune {
		if r > ' ' && r < 0x7f && !strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) {
			return r
		}
		return '-'
	}, text)
}
