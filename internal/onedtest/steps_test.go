package onedtest

import (
	"encoding/xml"
	"os"
	"strings"

	"github.com/stretchr/testify/require"
)

func next(kind string, id int) func(*scene) {
	return func(s *scene) { s.oned.set(func() { s.oned.next[kind] = id }) }
}

func image(id int) func(*scene) { return next(kindImage, id) }

// made makes an object that the recording does not show the making of.
func made(kind string, id int, session, method, template string, place ...int) func(*scene) {
	return func(s *scene) {
		next(kind, id)(s)
		s.call(session, method, template, place...)
	}
}

func gone(kind string, ids ...int) func(*scene) {
	return func(s *scene) {
		s.oned.set(func() {
			for _, id := range ids {
				s.oned.drop(s.oned.find(kind, id))
			}
		})
	}
}

func all(befores ...func(*scene)) func(*scene) {
	return func(s *scene) {
		for _, before := range befores {
			before(s)
		}
	}
}

const (
	admin  = Admin + ":" + AdminPassword
	packer = "packer:" + Password
)

// published is an app that a monitoring of a marketplace of the kind "one" has found: as
// it was recorded, since nothing here monitors one.
func published(id int, recording string) func(*scene) {
	return func(s *scene) {
		var answer struct {
			Info string `xml:"params>param>value>array>data>value>string"`
		}
		var app struct {
			Name     string `xml:"NAME"`
			Source   string `xml:"SOURCE"`
			MD5      string `xml:"MD5"`
			Size     int64  `xml:"SIZE"`
			Version  string `xml:"VERSION"`
			Format   string `xml:"FORMAT"`
			Type     int    `xml:"TYPE"`
			Template struct {
				Inner string `xml:",innerxml"`
			} `xml:"TEMPLATE"`
		}
		content, err := os.ReadFile("testdata/transcripts/7.0.0/" + recording + ".response.xml")
		require.NoError(s, err)
		require.NoError(s, xml.Unmarshal(content, &answer))
		require.NoError(s, xml.Unmarshal([]byte(answer.Info), &app))
		template, err := parse("<TEMPLATE>" + app.Template.Inner + "</TEMPLATE>")
		require.NoError(s, err)
		s.oned.set(func() {
			s.oned.next[kindApp] = id
			s.oned.add(&Object{
				Kind: kindApp, Name: app.Name, OriginID: -1, Place: 101, State: appReady, Type: app.Type, Source: app.Source,
				MD5: strings.NewReplacer(s.names...).Replace(app.MD5), SizeMB: app.Size, Format: app.Format, Version: app.Version, Template: template,
			}).Permissions = [9]int{1, 1, 0, 1, 0, 0, 1}
		})
	}
}

// usedBy makes virtual machines use image 0.
func usedBy(vms ...int) func(*scene) {
	return func(s *scene) {
		s.oned.set(func() {
			image := s.oned.find(kindImage, 0)
			image.vms = vms
			image.become(imageUsed)
			release(image, -1)
		})
	}
}

func failApps(directory string) func(*scene) {
	return func(s *scene) {
		source := s.oned.Images()[0].Source
		s.oned.FailApps("Error copyingError copying " + source + " to " + directory + "/00000000000000000000000000000000")
	}
}

// user2 is an ordinary user of the recording, who may not make apps at first.
func user2(s *scene) {
	s.oned.set(func() { s.oned.users[1].name, s.oned.users[1].makesApps = "packer", false })
}

func converting(s *scene) {
	s.oned.set(func() {
		s.oned.add(&Object{Kind: kindDatastore, Name: "qds", Template: content("DS_MAD", "fs", "TM_MAD", "local", "DRIVER", "qcow2", "SAFE_DIRS", s.root+"/var/tmp")})
	})
}
