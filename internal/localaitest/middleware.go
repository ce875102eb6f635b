package localaitest

import (
	"net/http"
	"slices"
	"strings"
)

// uploadLimit is LOCALAI_UPLOAD_LIMIT: its default "15M" is passed to echo's body limit, which
// reads M as millions of bytes (github.com/labstack/gommon/bytes), not as mebibytes.
const uploadLimit = 15_000_000

// securityHeaders are on every response except the 413.
var securityHeaders = map[string]string{
	"Content-Security-Policy": "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob: https:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' ws: wss: https: blob:; frame-src 'self' blob:; worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'",
	"Referrer-Policy":         "strict-origin-when-cross-origin",
	"X-Content-Type-Options":  "nosniff",
	"X-Frame-Options":         "SAMEORIGIN",
}

// guard does everything that happens before a route is looked up, in LocalAI's order: so a 401
// has no CORS header, and a preflight without a key is refused.
func (h *Handler) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength > uploadLimit {
			w.Header().Set("Connection", "close")
			writeError(w, frameworkError(http.StatusRequestEntityTooLarge, "Request Entity Too Large"))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, uploadLimit)
		for name, value := range securityHeaders {
			w.Header().Set(name, value)
		}
		if !generates(r.URL.Path) {
			w.Header().Add("Vary", "Accept-Encoding")
		}
		if !h.authorized(r) {
			h.writeUnauthorized(w)
			return
		}
		w.Header().Add("Vary", "Origin")
		if h.cors(w, r) {
			return
		}
		if forgeable(r) {
			writeError(w, frameworkError(http.StatusBadRequest, "missing csrf token in request header"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// generates reports whether a path generates text; LocalAI does not compress those.
func generates(path string) bool { return path == pathChat || path == pathCompletions }

func (h *Handler) authorized(r *http.Request) bool {
	if len(h.options.Keys) == 0 || slices.Contains(publicPaths, r.URL.Path) {
		return true
	}
	return slices.Contains(h.options.Keys, credential(r))
}

// credential returns the key from the first place LocalAI looks, right or wrong: a Basic
// header hides a valid x-api-key.
func credential(r *http.Request) string {
	if value := r.Header.Get("Authorization"); value != "" {
		return strings.TrimPrefix(value, "Bearer ")
	}
	for _, name := range []string{"X-Api-Key", "Xi-Api-Key"} {
		if value := r.Header.Get(name); value != "" {
			return value
		}
	}
	if cookie, err := r.Cookie("token"); err == nil {
		return cookie.Value
	}
	return ""
}

func (h *Handler) writeUnauthorized(w http.ResponseWriter) {
	w.Header().Set("Www-Authenticate", "Bearer")
	if h.options.OpaqueErrors {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	writeError(w, unauthorized())
}

// cors adds the CORS headers, answers a preflight, and reports whether it did.
func (h *Handler) cors(w http.ResponseWriter, r *http.Request) (answered bool) {
	origin := r.Header.Get("Origin")
	allowed := "*"
	if len(h.options.AllowOrigins) > 0 {
		allowed = origin
	}
	admitted := origin != "" && (allowed == "*" || slices.Contains(h.options.AllowOrigins, origin))
	if admitted {
		w.Header().Set("Access-Control-Allow-Origin", allowed)
	}
	if r.Method != http.MethodOptions {
		return false
	}
	methods := h.methods(r.URL.Path)
	if methods != "" {
		w.Header().Set("Allow", methods)
	}
	w.Header().Add("Vary", "Access-Control-Request-Method")
	w.Header().Add("Vary", "Access-Control-Request-Headers")
	if admitted {
		// With the wildcard the framework sends its default list of methods, with an
		// allow-list the methods of the route.
		if allowed == "*" {
			methods = "GET,HEAD,PUT,PATCH,POST,DELETE"
		}
		w.Header().Set("Access-Control-Allow-Methods", methods)
		if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
			w.Header().Set("Access-Control-Allow-Headers", asked)
		}
	}
	w.WriteHeader(http.StatusNoContent)
	return true
}

// forgeable reports whether a browser may have sent the request from a foreign page. A request
// with a key, or without Sec-Fetch-Site, is not forgeable.
func forgeable(r *http.Request) bool {
	safe := r.Method == http.MethodGet || r.Method == http.MethodHead
	site := r.Header.Get("Sec-Fetch-Site")
	foreign := site == "cross-site" || site == "same-site"
	keyed := r.Header.Get("Authorization") != "" || r.Header.Get("X-Api-Key") != "" || r.Header.Get("Xi-Api-Key") != ""
	return foreign && !safe && !keyed
}
