package acceptance

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"html/template"
	"time"
)

// Survey is one run of checks on an appliance that is in use.
type Survey struct {
	// URL is what was asked, Version what answered, by its header X-Copilot-Appliance.
	URL     string    `json:"url"`
	Version string    `json:"appliance"`
	Model   string    `json:"model"`
	Started time.Time `json:"started"`
	// Suite is the version of the checks.
	Suite   int      `json:"suite"`
	Results []Result `json:"checks"`
	// Error is what ended the run before its end.
	Error string `json:"error,omitempty"`
}

// Passed reports whether all checks were made and none failed.
func (s Survey) Passed() bool { return s.Error == "" && len(s.Results) > 0 && s.Failed() == 0 }

// Failed returns the number of failed checks.
func (s Survey) Failed() int {
	failed := 0
	for _, result := range s.Results {
		if !result.Passed {
			failed++
		}
	}
	return failed
}

// Took is the time that the checks took together.
func (s Survey) Took() Duration {
	var all Duration
	for _, result := range s.Results {
		all += result.Duration
	}
	return all
}

// JSON returns the survey for programs.
func (s Survey) JSON() ([]byte, error) {
	text, err := json.MarshalIndent(struct {
		Passed bool `json:"passed"`
		Survey
	}{s.Passed(), s}, "", "  ")
	return append(text, '\n'), err
}

// The elements of a JUnit report, as far as CI servers read them: https://github.com/testmoapp/junitxml.
type (
	junitSuites struct {
		XMLName xml.Name   `xml:"testsuites"`
		Suite   junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name       string          `xml:"name,attr"`
		Tests      int             `xml:"tests,attr"`
		Failures   int             `xml:"failures,attr"`
		Errors     int             `xml:"errors,attr"`
		Time       string          `xml:"time,attr"`
		Timestamp  string          `xml:"timestamp,attr"`
		Properties []junitProperty `xml:"properties>property"`
		Cases      []junitCase     `xml:"testcase"`
	}
	junitProperty struct {
		Name  string `xml:"name,attr"`
		Value string `xml:"value,attr"`
	}
	junitCase struct {
		Class   string        `xml:"classname,attr"`
		Name    string        `xml:"name,attr"`
		Time    string        `xml:"time,attr"`
		Failure *junitProblem `xml:"failure,omitempty"`
		Error   *junitProblem `xml:"error,omitempty"`
		Output  string        `xml:"system-out,omitempty"`
	}
	junitProblem struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

const junitClass = "slm-copilot.check"

// JUnit returns the survey for CI servers. A check is a test with the key as its name.
func (s Survey) JUnit() ([]byte, error) {
	suite := junitSuite{
		Name: "slm-copilot check", Tests: len(s.Results), Failures: s.Failed(), Time: seconds(s.Took()),
		Timestamp: s.Started.UTC().Format("2006-01-02T15:04:05"),
		Properties: []junitProperty{
			{"url", s.URL}, {"appliance", s.Version}, {"model", s.Model}, {"suite", fmt.Sprint(s.Suite)},
		},
	}
	for _, result := range s.Results {
		test := junitCase{Class: junitClass, Name: result.Key, Time: seconds(result.Duration), Output: result.Detail}
		if !result.Passed {
			test.Output = ""
			test.Failure = &junitProblem{result.Detail, fmt.Sprintf("%s\n\nPromised: %s\nRemedy: %s", result.Detail, result.Requirement, result.Remedy)}
		}
		suite.Cases = append(suite.Cases, test)
	}
	if s.Error != "" {
		// CI servers show tests only.
		suite.Tests, suite.Errors = suite.Tests+1, 1
		suite.Cases = append(suite.Cases, junitCase{Class: junitClass, Name: "run", Time: "0", Error: &junitProblem{s.Error, s.Error}})
	}
	text, err := xml.MarshalIndent(junitSuites{Suite: suite}, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}

func seconds(d Duration) string { return fmt.Sprintf("%.3f", time.Duration(d).Seconds()) }

//go:embed survey.html.tmpl
var pageSource string

var page = template.Must(template.New("survey").Parse(pageSource))

// HTML returns the survey for people, as a page that needs nothing else.
func (s Survey) HTML() ([]byte, error) {
	var out bytes.Buffer
	err := page.Execute(&out, s)
	return out.Bytes(), err
}
