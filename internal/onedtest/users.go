package onedtest

import (
	"fmt"
	"strings"
)

// User and Password are those of user 2, who may create apps.
const (
	User     = "publisher"
	Password = "publisher-password"
)

// Reader is user 3, who may not create apps.
const (
	Reader         = "reader"
	ReaderPassword = "reader-password"
)

// Admin is user 0, who may do everything.
const (
	Admin         = "oneadmin"
	AdminPassword = "oneadmin-password"
)

type user struct {
	id, group      int
	name, password string
	makesApps      bool
}

func newUsers() []*user {
	return []*user{
		{0, 0, Admin, AdminPassword, true},
		{2, 1, User, Password, true},
		{3, 1, Reader, ReaderPassword, false},
	}
}

var groups = map[int]string{0: "oneadmin", 1: "users", 7: "lab"}

func (o *Oned) authenticate(session string) *user {
	name, password, _ := strings.Cut(session, ":")
	for _, u := range o.users {
		if u.name == name && u.password == password {
			return u
		}
	}
	return nil
}

func (o *Oned) userName(id int) string {
	for _, u := range o.users {
		if u.id == id {
			return u.name
		}
	}
	return ""
}

func (u *user) isAdmin() bool { return u.group == 0 }

// Rights, as indices into the permissions of owner, group or others.
const (
	use = iota
	manage
)

var rightNames = []string{"USE", "MANAGE"}

// may reports whether the user has a right. Datastores and marketplaces are open to everybody,
// as in a front-end's default access rules.
func (u *user) may(right int, object *Object) bool {
	isPlace := object.Kind == kindDatastore || object.Kind == kindMarketplace
	switch p := object.Permissions; {
	case u.isAdmin(), isPlace && right == use:
		return true
	case object.OwnerID == u.id:
		return p[right] == 1
	case object.GroupID == u.group && p[3+right] == 1:
		return true
	default:
		return p[6+right] == 1
	}
}

// notAuthorized returns the message in the recordings.
func notAuthorized(r request, deed string) string {
	return refusal(authorization, fmt.Sprintf("[%s] User [%d] : %s", r.Method, r.user.id, deed))
}

func (o *Oned) userInfo(r request) string {
	u := r.user
	if id := r.number(1); id != -1 && id != u.id {
		return notAuthorized(r, fmt.Sprintf("Not authorized to perform USE USER [%d].", id))
	}
	const quotas = "<DATASTORE_QUOTA></DATASTORE_QUOTA><NETWORK_QUOTA></NETWORK_QUOTA><VM_QUOTA></VM_QUOTA><IMAGE_QUOTA></IMAGE_QUOTA>"
	return text(fmt.Sprintf("<USER><ID>%d</ID><GID>%d</GID><GROUPS><ID>%d</ID></GROUPS><GNAME>%s</GNAME><NAME>%s</NAME><PASSWORD>REDACTED</PASSWORD>"+
		"<AUTH_DRIVER><![CDATA[core]]></AUTH_DRIVER><ENABLED>1</ENABLED><TEMPLATE><TOKEN_PASSWORD><![CDATA[REDACTED]]></TOKEN_PASSWORD></TEMPLATE>"+
		quotas+"<DEFAULT_USER_QUOTAS>"+quotas+"</DEFAULT_USER_QUOTAS></USER>", u.id, u.group, u.group, groups[u.group], u.name))
}

// groupPool and zonePool were not recorded: they return only what a client reads.
func (o *Oned) groupPool(request) string {
	var b strings.Builder
	for _, id := range []int{0, 1, 7} {
		fmt.Fprintf(&b, "<GROUP><ID>%d</ID><NAME>%s</NAME></GROUP>", id, groups[id])
	}
	return text("<GROUP_POOL>" + b.String() + "</GROUP_POOL>")
}

func (o *Oned) zonePool(request) string {
	return text("<ZONE_POOL><ZONE><ID>0</ID><NAME>OpenNebula</NAME><TEMPLATE><ENDPOINT><![CDATA[" + o.Endpoint() + "]]></ENDPOINT></TEMPLATE></ZONE></ZONE_POOL>")
}
