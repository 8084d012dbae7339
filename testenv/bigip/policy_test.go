package bigip_test

import (
	"testing"

	"landbridge.dev/testenv/bigip"
)

// TestPolicy takes a policy through its life: a draft with rules, conditions
// and actions in one call, published, attached, drafted again, published anew.
func TestPolicy(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{})
	must(t, d, "POST", "/mgmt/tm/ltm/pool", m{"name": "blue"})
	policy := m{
		"name": "route", "strategy": "/Common/first-match", "controls": []any{"forwarding"}, "requires": []any{"http"},
		"rules": []any{m{
			"name": "blue", "ordinal": 1,
			"conditions": []any{m{"name": "0", "httpUri": true, "path": true, "startsWith": true, "request": true, "values": []any{"/blue"}}},
			"actions":    []any{m{"name": "0", "forward": true, "select": true, "request": true, "pool": "/Common/blue"}},
		}},
	}
	refused(t, d, "POST", "/mgmt/tm/ltm/policy", policy, 400,
		"01071abb:3: Cannot create/modify published policy '/Common/route' directly, try specifying a draft folder like '/Common/Drafts/route'.")
	policy["subPath"] = "Drafts"
	draft := must(t, d, "POST", "/mgmt/tm/ltm/policy", policy)
	if draft["fullPath"] != "/Common/Drafts/route" || draft["subPath"] != "Drafts" || draft["status"] != "draft" {
		t.Errorf("draft: %v", draft)
	}
	must(t, d, "POST", "/mgmt/tm/ltm/policy", m{"command": "publish", "name": "/Common/Drafts/route"})
	refused(t, d, "GET", "/mgmt/tm/ltm/policy/~Common~Drafts~route", nil, 404, "01020036")
	if p := must(t, d, "GET", "/mgmt/tm/ltm/policy/~Common~route", nil); p["status"] != "published" {
		t.Errorf("published: %v", p)
	}
	action := must(t, d, "GET", "/mgmt/tm/ltm/policy/~Common~route/rules/blue/actions/0", nil)
	if action["selfLink"] != "https://localhost/mgmt/tm/ltm/policy/~Common~route/rules/blue/actions/0?ver=14.1.2.1" ||
		action["kind"] != "tm:ltm:policy:rules:actions:actionsstate" || action["pool"] != "/Common/blue" || action["forward"] != true {
		t.Errorf("action: %v", action)
	}
	all := must(t, d, "GET", "/mgmt/tm/ltm/policy/~Common~route?expandSubcollections=true", nil)
	rules := itemsOf(all["rulesReference"].(map[string]any))
	if len(rules) != 1 || len(itemsOf(rules[0]["conditionsReference"].(map[string]any))) != 1 {
		t.Errorf("expanded: %v", all)
	}
	must(t, d, "POST", "/mgmt/tm/ltm/virtual", m{"name": "v", "destination": "10.0.0.1:80", "ipProtocol": "tcp", "profiles": []any{"http"}, "policies": []any{"/Common/route"}})
	refused(t, d, "DELETE", "/mgmt/tm/ltm/pool/~Common~blue", nil, 400, "01070265")
	refused(t, d, "DELETE", "/mgmt/tm/ltm/policy/~Common~route", nil, 400, "01070265")
	editPolicy(t, d)
	must(t, d, "DELETE", "/mgmt/tm/ltm/virtual/~Common~v", nil)
	must(t, d, "DELETE", "/mgmt/tm/ltm/policy/~Common~route", nil)
	must(t, d, "DELETE", "/mgmt/tm/ltm/pool/~Common~blue", nil)
	if got := d.Objects("ltm/policy/rules/actions", ""); len(got) != 0 {
		t.Errorf("left over: %v", got)
	}
}

// editPolicy changes the published policy by way of a draft.
func editPolicy(t *testing.T, d *bigip.Device) {
	t.Helper()
	const published, draft = "/mgmt/tm/ltm/policy/~Common~route", "/mgmt/tm/ltm/policy/~Common~Drafts~route"
	for _, path := range []string{published, published + "/rules/blue", published + "/rules/blue/actions/0"} {
		refused(t, d, "PATCH", path, m{"description": "x"}, 400, "01071abb")
	}
	refused(t, d, "DELETE", published+"/rules/blue", nil, 400, "01071abb")
	refused(t, d, "POST", "/mgmt/tm/ltm/policy", m{"name": "route", "subPath": "Drafts"}, 400,
		`01070734:3: Configuration error: Published policy "/Common/route" exists, use create-draft to create a draft copy .`)
	must(t, d, "PATCH", published+"?options=create-draft", m{})
	if p := must(t, d, "GET", published, nil); p["draftCopy"] != "/Common/Drafts/route" || p["draftCopyReference"] == nil {
		t.Errorf("published with a draft: %v", p)
	}
	must(t, d, "PATCH", draft+"/rules/blue", m{"ordinal": 5})
	must(t, d, "POST", "/mgmt/tm/ltm/policy", m{"command": "publish", "name": "/Common/Drafts/route"})
	if r := must(t, d, "GET", published+"/rules/blue", nil); r["ordinal"] != int64(5) {
		t.Errorf("rule after publishing: %v", r)
	}
	must(t, d, "PATCH", published+"?options=create-draft", m{})
	must(t, d, "DELETE", draft, nil)
	if p := must(t, d, "GET", published, nil); p["draftCopy"] != nil {
		t.Errorf("published after its draft went: %v", p)
	}
}

func TestDataGroupRecords(t *testing.T) {
	t.Parallel()
	d := device(t, bigip.Options{})
	must(t, d, "POST", "/mgmt/tm/ltm/data-group/internal", m{"name": "keys", "type": "string", "records": []any{m{"name": "a", "data": "1"}}})
	const path = "/mgmt/tm/ltm/data-group/internal/~Common~keys"
	got := must(t, d, "PATCH", path+"?options=records+add+%7B+b+%7B+data+2+%7D+%7D", m{"name": "keys"})
	if got["selfLink"] != "https://localhost"+path+"?options=records+add+%7B+b+%7B+data+2+%7D+%7D&ver=14.1.2.1" {
		t.Errorf("self link: %v", got["selfLink"])
	}
	must(t, d, "PATCH", path+"?options=records+modify+%7B+a+%7B+data+9+%7D+%7D", m{"name": "keys"})
	got = must(t, d, "PATCH", path+"?options=records+delete+%7B+b+%7D", m{"name": "keys"})
	if list, _ := got["records"].([]any); len(list) != 1 || list[0].(map[string]any)["data"] != "9" {
		t.Errorf("records: %v", got["records"])
	}
	refused(t, d, "PATCH", path+"?options=records+delete+%7B+b+%7D", m{"name": "keys"}, 404, "01020036:3: The requested class string item (/Common/keys b) was not found.")
	refused(t, d, "PATCH", path+"?options=records+add+%7B+a+%7B+data+1+%7D+%7D", m{"name": "keys"}, 409, "01020066:3: The requested class string item (/Common/keys a) already exists in partition Common.")
	refused(t, d, "PATCH", path+"?options=records+grow", m{"name": "keys"}, 400, "unexpected argument")
}
