package f5

// What is read, in the properties that are used. Names and types are as
// captured on TMOS 12.1 and 14.1; go-bigip's own structs are not used, since
// its members have no description, and writing them back changes what nobody
// named.

type nodeWire struct {
	FullPath    string `json:"fullPath"`
	Address     string `json:"address"`
	Description string `json:"description"`
	AppService  string `json:"appService"`
}

type memberWire struct {
	FullPath      string `json:"fullPath"`
	Address       string `json:"address"`
	Description   string `json:"description"`
	AppService    string `json:"appService"`
	Session       string `json:"session"`
	State         string `json:"state"`
	Ratio         int    `json:"ratio"`
	PriorityGroup int    `json:"priorityGroup"`
}

type poolWire struct {
	FullPath          string                    `json:"fullPath"`
	Description       string                    `json:"description"`
	AppService        string                    `json:"appService"`
	LoadBalancingMode string                    `json:"loadBalancingMode"`
	Monitor           string                    `json:"monitor"`
	ReselectTries     int                       `json:"reselectTries"`
	SlowRampTime      int                       `json:"slowRampTime"`
	MinActiveMembers  int                       `json:"minActiveMembers"`
	Members           subcollection[memberWire] `json:"membersReference"`
}

type profileWire struct {
	FullPath string `json:"fullPath"`
	Context  string `json:"context"`
}

type virtualWire struct {
	FullPath    string                     `json:"fullPath"`
	Description string                     `json:"description"`
	AppService  string                     `json:"appService"`
	Destination string                     `json:"destination"`
	IPProtocol  string                     `json:"ipProtocol"`
	Pool        string                     `json:"pool"`
	Disabled    bool                       `json:"disabled"`
	SNAT        snatWire                   `json:"sourceAddressTranslation"`
	Profiles    subcollection[profileWire] `json:"profilesReference"`
	Policies    subcollection[policyWire]  `json:"policiesReference"`
	Rules       []string                   `json:"rules"`
	Persist     []persistRef               `json:"persist"`
	Source      string                     `json:"source"`
	VLANs       []string                   `json:"vlans"`
	// VLANsEnabled says that it listens on VLANs alone, and not on all others.
	VLANsEnabled    bool `json:"vlansEnabled"`
	ConnectionLimit int  `json:"connectionLimit"`
}

type policyWire struct {
	FullPath string `json:"fullPath"`
}

type snatWire struct {
	Type string `json:"type"`
	Pool string `json:"pool,omitempty"`
}

type monitorWire struct {
	FullPath    string `json:"fullPath"`
	Description string `json:"description"`
	AppService  string `json:"appService"`
	Interval    int    `json:"interval"`
	Timeout     int    `json:"timeout"`
	Send        string `json:"send"`
	Receive     string `json:"recv"`
	Destination string `json:"destination"` // "*:*", "*:443"
}

type addressWire struct {
	FullPath string `json:"fullPath"`
	Address  string `json:"address"`
}

// subcollection is what expandSubcollections puts below a reference. Empty
// ones come with "items": [] or without items, by version.
type subcollection[T any] struct {
	Items []T `json:"items"`
}

// What is written when an object is made; updates are maps of what changes.

type nodeCreate struct {
	place
	Address     string `json:"address"`
	Description string `json:"description"`
}

type memberCreate struct {
	Name        string `json:"name"` // full path: the node's, and the port
	Description string `json:"description,omitempty"`
	Ratio       int    `json:"ratio"`
	Priority    int    `json:"priorityGroup"`
	Session     string `json:"session,omitempty"`
	State       string `json:"state,omitempty"`
}

type poolCreate struct {
	place
	Description       string         `json:"description"`
	LoadBalancingMode string         `json:"loadBalancingMode"`
	Monitor           string         `json:"monitor,omitempty"`
	ReselectTries     int            `json:"reselectTries"`
	SlowRampTime      int            `json:"slowRampTime"`
	MinActiveMembers  int            `json:"minActiveMembers,omitempty"`
	Members           []memberCreate `json:"members,omitempty"`
}

type profileRef struct {
	Name    string `json:"name"` // full path
	Context string `json:"context"`
}

type virtualCreate struct {
	place
	Description string       `json:"description"`
	Destination string       `json:"destination"`
	Mask        string       `json:"mask"`
	Source      string       `json:"source"`
	IPProtocol  string       `json:"ipProtocol"`
	Pool        string       `json:"pool,omitempty"`
	Profiles    []profileRef `json:"profiles"`
	SNAT        snatWire     `json:"sourceAddressTranslation"`
	Disabled    bool         `json:"disabled,omitempty"`
	Rules       []string     `json:"rules,omitempty"`
	Policies    []policyRef  `json:"policies,omitempty"`
	Persist     []persistRef `json:"persist,omitempty"`
	VLANs       []string     `json:"vlans,omitempty"`
	OnVLANs     bool         `json:"vlansEnabled,omitempty"`
	Limit       int          `json:"connectionLimit,omitempty"`
}

type monitorCreate struct {
	place
	Description string `json:"description"`
	Interval    int    `json:"interval"`
	Timeout     int    `json:"timeout"`
	Send        string `json:"send"`
	Receive     string `json:"recv,omitempty"`
	Destination string `json:"destination,omitempty"`
}
