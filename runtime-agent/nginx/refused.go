package nginx

// RenderRefused gives the text of the site for a machine whose settings were refused before
// there were any good ones: it answers every request with where to look.
func (s Site) RenderRefused() []byte { return s.Render() }
