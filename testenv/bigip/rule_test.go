package bigip_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"landbridge.dev/testenv/bigip"
)

// TestDataGroupOfARule: an iRule names a data group that stands, and keeps it.
func TestDataGroupOfARule(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{})
	rule := m{"name": "r", "apiAnonymous": "# class match x equals /Common/none\nwhen CLIENT_ACCEPTED {\n    if { [class match [IP::client_addr] equals /Common/g] } { reject }\n}"}
	refused(t, d, "POST", "/mgmt/tm/ltm/rule", rule, 400,
		"01070151:3: Rule [/Common/r] error: Unable to find value_list (/Common/g) referenced at line 3: [if { [class match [IP::client_addr] equals /Common/g] } { reject }]")
	refused(t, d, "POST", "/mgmt/tm/ltm/data-group/internal", m{"name": "g", "type": "ip", "records": []any{"here"}}, 400, `invalid property value "records"`)
	group := must(t, d, "POST", "/mgmt/tm/ltm/data-group/internal", m{"name": "g", "type": "ip", "records": []any{m{"name": "10.1.2.3"}, m{"name": "10.9.9.9%2/8"}, m{"name": "2001:db8::1/32"}}})
	want := []any{m{"name": "10.1.2.3/32", "data": ""}, m{"name": "10.0.0.0%2/8", "data": ""}, m{"name": "2001:db8::/32", "data": ""}}
	if diff := cmp.Diff(want, group["records"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	must(t, d, "POST", "/mgmt/tm/ltm/rule", rule)
	refused(t, d, "DELETE", "/mgmt/tm/ltm/data-group/internal/~Common~g", nil, 400, "01070265")
	must(t, d, "DELETE", "/mgmt/tm/ltm/rule/~Common~r", nil)
	must(t, d, "DELETE", "/mgmt/tm/ltm/data-group/internal/~Common~g", nil)
}
