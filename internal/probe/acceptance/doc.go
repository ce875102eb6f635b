// Package acceptance defines what a running appliance must do, as seen by its clients: a table
// of checks against its two ports, and the report of their results. It boots nothing and
// changes nothing on the appliance.
package acceptance
