package shell

import (
	"os/exec"
	"strings"
	"testing"
)

func FuzzQuote(f *testing.F) {
	f.Add("it's")
	f.Add("$(id)\n\\ \"")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.ContainsRune(text, 0) {
			return
		}
		out, err := exec.Command("/bin/sh", "-c", "printf %s "+Quote(text)).Output()
		if err != nil || string(out) != text {
			t.Fatalf("%q came out as %q, %v", text, out, err)
		}
	})
}
