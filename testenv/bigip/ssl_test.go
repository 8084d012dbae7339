package bigip_test

import (
	"net/http"
	"testing"

	"landbridge.dev/testenv/bigip"
)

// A profile takes the "none" of its parent's references for what it is, in
// whichever partition it is made.
func TestSSLProfileInAPartition(t *testing.T) {
	t.Parallel()
	d, err := bigip.New(bigip.Options{Partitions: []string{"web"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"client-ssl", "server-ssl"} {
		status, answer := d.Do(http.MethodPost, "/mgmt/tm/ltm/profile/"+kind, map[string]any{"name": kind, "partition": "web"})
		if status != http.StatusOK || answer["caFile"] != "none" {
			t.Errorf("%s: %d, caFile %v: %v", kind, status, answer["caFile"], answer["message"])
		}
	}
}
