package mcp

import (
	"crypto/sha512"
	"encoding/base64"
	"net/http"
	"slices"
	"strings"
)

// settleUser checks the shell and shows the password as crypt(3) would write
// it.
func settleUser(tx *Tx, o, _ *Object) error {
	if shell := o.Str("shell"); shell != "" && shell != "bash" && shell != "tmsh" {
		return invalidValue("shell", shell)
	}
	if password := o.Str("password"); password != "" {
		sum := sha512.Sum512([]byte(o.Name + "\x00" + password))
		text := base64.RawStdEncoding.EncodeToString(sum[:])
		text = strings.ReplaceAll(text, "+", ".")
		o.Props["encryptedPassword"] = "$6$" + text[:8] + "$" + text
	}
	list, _ := o.Props["partitionAccess"].([]any)
	for i, e := range list {
		if s, ok := e.(string); ok {
			list[i] = map[string]any{"name": s, "role": "guest"}
		}
	}
	return tx.checkAccess(o, list)
}

// allPartitions stands in a user's access for every partition.
const allPartitions = "all-partitions"

// checkAccess refuses roles that are not there, partitions that are not there,
// and the three roles that hold everywhere or not at all: who is administrator,
// resource administrator or auditor has no other role (BIG-IP User Account
// Administration, "User roles").
func (tx *Tx) checkAccess(o *Object, list []any) error {
	for _, e := range list {
		m, _ := e.(map[string]any)
		where, _ := m["name"].(string)
		role, _ := m["role"].(string)
		if !slices.Contains(userRoles(), role) {
			return invalidValue("role", role)
		}
		if where != allPartitions && tx.get(Key{Kind: "auth/partition", Path: where}) == nil {
			return notFound("Partition", where)
		}
		undivided := role == "admin" || role == "resource-admin" || role == "auditor"
		if undivided && (where != allPartitions || len(list) > 1) {
			return mcpError(http.StatusBadRequest, "01070821", "User Restriction Error: The user (%s) with the role %s has it in all partitions and has no other.", o.Name, role)
		}
	}
	return nil
}

// userRoles are those that a user may have in a partition (tmsh auth user).
func userRoles() []string {
	return []string{
		"acceleration-policy-editor", "admin", "application-editor", "auditor", "certificate-manager", "firewall-manager",
		"fraud-protection-manager", "guest", "irule-manager", "log-manager", "manager", "no-access", "operator",
		"resource-admin", "user-manager", "web-application-security-administrator", "web-application-security-editor",
	}
}
