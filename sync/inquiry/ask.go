package inquiry

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/dynamic"
)

// askEvery is how often it is looked for the answer, and tidy how long taking
// the Inquiry away may take.
const (
	askEvery = 100 * time.Millisecond
	tidy     = 5 * time.Second
)

// Ask asks the running controller, and returns its answer as JSON. It makes an
// Inquiry in q.Namespace with the rights that client has, waits for the answer
// until ctx ends, and takes the Inquiry away.
func Ask(ctx context.Context, client dynamic.Interface, q Question) (_ []byte, err error) {
	u, err := q.object()
	if err != nil {
		return nil, err
	}
	inquiries := client.Resource(Resource()).Namespace(q.Namespace)
	made, err := inquiries.Create(ctx, u, metav1.CreateOptions{FieldManager: "landbridge"})
	switch {
	case apierrors.IsNotFound(err) && !strings.Contains(err.Error(), "namespaces"):
		return nil, errors.New("the cluster has no inquiries.landbridge.dev, by which the controller is asked (inquiries.enabled of the chart); with --local this command reads by itself")
	case apierrors.IsForbidden(err):
		return nil, fmt.Errorf("%w; the ClusterRole landbridge-inquiries gives that right, and with --local this command reads by itself", err)
	case err != nil:
		return nil, fmt.Errorf("asking the controller: %w", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), tidy)
		defer cancel()
		// One that stays is taken away by the controller.
		_ = inquiries.Delete(ctx, made.GetName(), metav1.DeleteOptions{})
	}()
	var got answered
	last := errors.New("no controller has answered: does one run, and lead? With --local this command reads by itself")
	err = wait.PollUntilContextCancel(ctx, askEvery, true, func(ctx context.Context) (bool, error) {
		now, err := inquiries.Get(ctx, made.GetName(), metav1.GetOptions{})
		if err != nil {
			if ctx.Err() == nil {
				last = fmt.Errorf("looking for the controller's answer: %w", err)
			}
			return false, final(err)
		}
		var done bool
		got, done = answerOf(now)
		return done, nil
	})
	switch {
	case err != nil:
		return nil, last
	case got.Error != "":
		return nil, fmt.Errorf("the controller answers: %s", got.Error)
	}
	return unpack(got.Answer)
}

// final is an error after which asking again is of no use.
func final(err error) error {
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || apierrors.IsUnauthorized(err) {
		return err
	}
	return nil
}
