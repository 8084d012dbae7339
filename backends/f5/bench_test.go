package f5_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"landbridge.dev/backends/f5"
	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

const (
	manyPools     = 25_000
	membersOfEach = 10
	manyNodes     = 1_000
	// mostOfPool is what a pool with ten members may take once it is read,
	// in bytes: below 100 MB for 25,000 of them.
	mostOfPool = 3_800
)

// inProcess answers requests from a handler without a socket.
type inProcess struct{ http.Handler }

func (h inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result(), nil
}

// largeDevice serves thousands of pools of ten members with all the properties of a
// device's answers. The pages are written before the clock starts: it is the
// reading that is measured.
type largeDevice struct {
	pools map[string][]byte // pages of 100 by $skip
	total int
}

func newLargeDevice(pools int) *largeDevice {
	d := &largeDevice{pools: map[string][]byte{}, total: pools}
	for skip := 0; skip < pools; skip += 99 {
		to := min(skip+100, pools)
		var page bytes.Buffer
		fmt.Fprintf(&page, `{"kind":"tm:ltm:pool:poolcollectionstate","totalItems":%d`, pools)
		if to < pools {
			page.WriteString(`,"nextLink":"https://localhost/mgmt/tm/ltm/pool?ver=14.1.2.1"`)
		}
		page.WriteString(`,"items":[`)
		for i := skip; i < to; i++ {
			if i > skip {
				page.WriteByte(',')
			}
			writePool(&page, i)
		}
		page.WriteString("]}")
		d.pools[strconv.Itoa(skip)] = page.Bytes()
	}
	return d
}

func writePool(w io.Writer, i int) {
	tag := identity().Owner(state.Ref{Namespace: fmt.Sprintf("team-%d", i%200), Name: fmt.Sprintf("service-%d", i)}).Tag()
	path := fmt.Sprintf("lb_prod_service-%06d_80", i)
	fmt.Fprintf(w, `{"kind":"tm:ltm:pool:poolstate","name":%q,"partition":"web","fullPath":"/web/%s","generation":%d,
"selfLink":"https://localhost/mgmt/tm/ltm/pool/~web~%s?expandSubcollections=true&ver=14.1.2.1","allowNat":"yes","allowSnat":"yes","description":%q,
"ignorePersistedWeight":"disabled","ipTosToClient":"pass-through","loadBalancingMode":"round-robin","minActiveMembers":0,"minUpMembers":0,
"monitor":"/Common/tcp ","queueDepthLimit":0,"reselectTries":3,"serviceDownAction":"none","slowRampTime":0,"membersReference":{
"link":"https://localhost/mgmt/tm/ltm/pool/~web~%s/members?ver=14.1.2.1","isSubcollection":true,"items":[`, path, path, i, path, tag, path)
	for m := range membersOfEach {
		n := (i*membersOfEach + m) % manyNodes
		ip := fmt.Sprintf("10.%d.%d.%d", n/65536, n/256%256, n%256)
		if m > 0 {
			fmt.Fprint(w, ",")
		}
		fmt.Fprintf(w, `{"kind":"tm:ltm:pool:members:membersstate","name":"%[1]s:8080","partition":"Common","fullPath":"/Common/%[1]s:8080","generation":1,
"selfLink":"https://localhost/mgmt/tm/ltm/pool/~web~%[2]s/members/~Common~%[1]s:8080?ver=14.1.2.1","address":"%[1]s","connectionLimit":0,"description":%[3]q,
"dynamicRatio":1,"ephemeral":"false","fqdn":{"autopopulate":"disabled"},"inheritProfile":"enabled","logging":"disabled","monitor":"default",
"priorityGroup":0,"rateLimit":"disabled","ratio":1,"session":"monitor-enabled","state":"up"}`, ip, path, tag)
	}
	fmt.Fprint(w, "]}}")
}

func (d *largeDevice) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost:
		answer(w, 200, `{"token":{"token":"T","timeout":1200}}`)
	case r.Method == http.MethodPatch:
		answer(w, 200, `{"kind":"tm:ltm:pool:members:membersstate"}`)
	case strings.HasPrefix(r.URL.Path, "/mgmt/tm/ltm/pool"):
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(d.pools[r.URL.Query().Get("$skip")])
	default:
		emptyCollection(w)
	}
}

func (d *largeDevice) open(t testing.TB) *f5.Backend {
	return open(t, f5.Options{
		Name: "bigip/dc1", Hosts: []string{"http://device"}, Identity: identity(), Transport: inProcess{d},
		Credentials: func() (string, string, error) { return user, password, nil },
	})
}

// TestMemoryOfALargeDevice bounds what pools with ten members each take once
// they are read.
func TestMemoryOfALargeDevice(t *testing.T) { // not in parallel: it measures the heap
	const pools = manyPools / 25
	d := newLargeDevice(pools)
	b := d.open(t)
	before := heap()
	set := mustRead(t, b)
	after := heap()
	if set.Len() != pools {
		t.Fatalf("%d pools were read, want %d", set.Len(), pools)
	}
	each := (int64(after) - int64(before)) / pools
	if each > mostOfPool {
		t.Errorf("a pool takes %d bytes, want at most %d", each, mostOfPool)
	}
	t.Logf("a pool takes %d bytes", each)
	runtime.KeepAlive(set)
	runtime.KeepAlive(d)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

func BenchmarkRead25000Pools(b *testing.B) {
	backend := newLargeDevice(manyPools).open(b)
	b.ReportAllocs()
	for b.Loop() {
		set := mustRead(b, backend)
		if set.Len() != manyPools {
			b.Fatalf("%d pools", set.Len())
		}
	}
	b.ReportMetric(float64(manyPools)*float64(b.N)/b.Elapsed().Seconds(), "pools/s")
}

func BenchmarkOneMemberPatch(b *testing.B) {
	backend := (&largeDevice{}).open(b)
	p := testPool("p")
	m := member(b, "10.0.0.5", 8080, "/Common/10.0.0.5")
	heavy := m
	heavy.Ratio = 2
	units := []apply.Unit{{Service: cart, Changes: []plan.Change{{Op: plan.Update, Before: poolMember(p, m), After: poolMember(p, heavy)}}}}
	b.ReportAllocs()
	for b.Loop() {
		if out := backend.Apply(b.Context(), units)[0]; out.Status != apply.Done {
			b.Fatal(out.Err)
		}
	}
}
