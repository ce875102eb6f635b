package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/slm-copilot/packer-plugin-slm-copilot/internal/appliance"
)

// showStatus succeeds only if the appliance is ready, so that scripts can use the exit status.
func (a app) showStatus() error {
	present, err := a.state().Load()
	if err != nil {
		return err
	}
	fmt.Fprint(a.stdout, present)
	if !present.Ready() {
		return errors.New("not ready")
	}
	return nil
}

func (a app) showReport() error {
	present, err := a.state().Load()
	if err != nil {
		return err
	}
	if present.Stage == "" {
		return errors.New("no report yet: the appliance was never configured")
	}
	text, err := writeReport(a.root, present)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return errors.New("the report contains the password: run this as root")
	case err != nil:
		return err
	}
	_, err = a.stdout.Write(text)
	return err
}

func (a app) showVersion() error {
	_, err := fmt.Fprintln(a.stdout, appliance.Version)
	return err
}
