package dispatch_test

import (
	"net/http"
	"strings"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"landbridge.dev/testenv/broker/scene"
)

// A message that ends the pod that has it has one pod an attempt, and is dead
// after the last: also where the connection had been used before, which net/http
// would answer by sending the request once more.
func TestMessageThatEndsItsPod(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"with a body": "x", "without a body": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := scene.New(t, node)
			s.Queue("orders.work")
			var pods [3]*pod
			for i := range pods {
				pods[i] = newPod(t, func(_ http.ResponseWriter, r *http.Request, _ int) {
					if r.Header.Get("Idempotency-Key") == "bad" {
						_ = pods[i].server.Close()
					}
				})
			}
			had := func(key string) (requests, podsThat int) {
				for _, p := range pods {
					n := p.keys()[key]
					requests += n
					podsThat += min(n, 1)
				}
				return requests, podsThat
			}
			c := consumer(s, pods[:]...)
			c.MaxAttempts = 2
			start(s).Set(ref, c)
			s.Eventually("each pod has a connection that was used", func() bool {
				s.Publish("orders.work", amqp.Publishing{MessageId: "good"})
				_, n := had("good")
				return n == len(pods)
			})
			empty(s)
			s.Publish("orders.work", amqp.Publishing{MessageId: "bad", Body: []byte(body)})
			var dead []amqp.Delivery
			s.Eventually("it is dead", func() bool { dead = append(dead, s.Drain(deadQueue)...); return len(dead) == 1 })
			if reason, _ := dead[0].Headers["landbridge-reason"].(string); dead[0].MessageId != "bad" || !strings.HasPrefix(reason, "after 2 attempts: ") {
				t.Errorf("dead letter %s: %s", dead[0].MessageId, reason)
			}
			if n, _ := had("bad"); n != 2 {
				t.Errorf("pods had it %d times, want one in each of two attempts", n)
			}
			s.Publish("orders.work", amqp.Publishing{MessageId: "after"})
			s.Eventually("the pod that is left serves", func() bool { n, _ := had("after"); return n == 1 })
		})
	}
}
