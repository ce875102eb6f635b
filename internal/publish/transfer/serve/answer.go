package serve

import (
	"net/http"
	"os"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/progress"
)

// answer serves a whole file, or the requested range of it.
func (m *Method) answer(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	file, offered := m.files[r.URL.Path]
	m.mu.Unlock()
	if !offered {
		http.NotFound(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		return
	}
	content, err := os.Open(file.Path)
	if err != nil {
		file.say("Serving " + file.Name + ": " + err.Error())
		http.Error(w, "the image cannot be read", http.StatusInternalServerError)
		return
	}
	defer content.Close()
	info, err := content.Stat()
	if err != nil || info.Size() != file.Size {
		file.say("Serving " + file.Name + ": it has changed since")
		http.Error(w, "the image has changed", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	http.ServeContent(w, r, file.Name, info.ModTime(), &counted{content, progress.Lines("served "+file.Name, file.Size, file.say)})
}

// counted reports the progress of a transfer. A transfer that ends early, as most do, reports
// nothing. The file is not embedded, because its other read methods would bypass the count.
type counted struct {
	file  *os.File
	meter *progress.Meter
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.file.Read(p)
	c.meter.Add(int64(n))
	return n, err
}

func (c *counted) Seek(offset int64, whence int) (int64, error) { return c.file.Seek(offset, whence) }
