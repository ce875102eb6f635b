package marketplace

import (
	"context"
)

// stepWriteApp writes the files of the apps and the nginx site, before the list refers to
// them.
type stepWriteApp struct {
	pub *publication
}

func (s *stepWriteApp) Run(context.Context) error {
	for _, entry := range s.pub.entries {
		if err := s.pub.catalog.WriteApp(entry); err != nil {
			return err
		}
	}
	return nil
}
