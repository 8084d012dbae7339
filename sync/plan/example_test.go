package plan_test

import (
	"fmt"
	"os"

	"landbridge.dev/sync/plan"
	"landbridge.dev/sync/state"
)

// reported is a plan with one change of each sort, and a problem.
func reported() *plan.Report {
	old := virtual()
	old.Path, old.Pool = "/old/cart", ""
	taken := poolBy(state.Owner{})
	taken.Path = "/web/blog"
	blog := wantPool()
	blog.Path = taken.Path

	r := &plan.Report{
		Schema: plan.Schema, Cluster: "prod", Services: 2,
		Backends: []plan.Backend{{Name: dc1, Objects: 3, Changes: []plan.Entry{}}}, Problems: []plan.ProblemEntry{},
	}
	in := input(follow(wantPool(ready("10.0.0.1:8080"), terminating("10.0.0.2:8080")), virtual()),
		havePool(ready("10.0.0.2:8080"), draining("10.0.0.3:8080", pastAt, true)), old, node("10.0.0.2", ours))
	r.Add(dc1, cart, plan.Diff(in))
	r.Add(dc1, web, plan.Diff(input(state.Want{Service: web, Objects: []state.Object{blog}}, taken)))
	return r
}

func ExampleReport_Text() {
	if err := reported().Text(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// cluster prod · 2 services · bigip/dc1 3 objects
	//
	//   + node  bigip/dc1  10.0.0.1  shop/cart
	//         address 10.0.0.1
	//         path /Common/10.0.0.1
	//   + member  bigip/dc1  /web/cart 10.0.0.1:8080  shop/cart
	//         member 10.0.0.1:8080
	//   - virtual-server  bigip/dc1  /old/cart  shop/cart  (makes way for /web/cart, which listens on the same address and port)  INTERRUPTS clients for a moment
	//   + virtual-server  bigip/dc1  /web/cart  shop/cart
	//         destination 203.0.113.10:80/tcp
	//         pool /web/cart
	//         profile /Common/tcp all
	//         snat automap
	//   ~ member  bigip/dc1  /web/cart 10.0.0.2:8080  shop/cart  (drains)
	//       - member 10.0.0.2:8080
	//       + member 10.0.0.2:8080 offline draining, until 2026-07-01T12:01:00Z terminating
	//   - member  bigip/dc1  /web/cart 10.0.0.3:8080  shop/cart  (its pod is gone)
	//
	// problems
	//   shop/web  NameTaken  pool /web/blog stands on bigip/dc1 without our tag and is left alone; rename or delete it there
	//
	// Plan: 3 to create, 1 to update, 2 to delete.
}

func ExampleReport_Text_nothing() {
	r := &plan.Report{Cluster: "prod", Services: 1, Backends: []plan.Backend{{Name: dc1, Objects: 1}}}
	if err := r.Text(os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// cluster prod · 1 service · bigip/dc1 1 object
	//
	// Plan: nothing to change.
}
