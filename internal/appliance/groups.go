package appliance

// InputGroup describes how Sunstone shows the inputs whose names begin with
// ONEAPP_COPILOT_<Name>_: under Title, with Description below it.
type InputGroup struct {
	Name, Title, Description string
}

// inputApp describes the whole form in the same way.
var inputApp = InputGroup{Name: "COPILOT", Title: Title, Description: "A private AI coding copilot. Every field may stay as it is."}

// inputGroups lists the groups in the order in which users see them.
var inputGroups = []InputGroup{
	{Name: "MODEL", Title: "Model", Description: "How much of the machine the model takes."},
	{Name: "ACCESS", Title: "Access", Description: "Who may use the API, and how."},
	{Name: "TLS", Title: "TLS", Description: "The certificate. Without a host name or a certificate of its own the machine makes one."},
}

// InputApp returns name, title and description of the whole form.
func InputApp() InputGroup { return inputApp }

// InputGroups returns the groups of inputs in the order in which users see them.
func InputGroups() []InputGroup {
	return append([]InputGroup(nil), inputGroups...)
}
