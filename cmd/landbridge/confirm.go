package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"landbridge.dev/sync/state"
)

// errNotConfirmed ends a command that a person did not say yes to.
var errNotConfirmed = errors.New("not confirmed, and nothing was changed")

// confirm asks the person at the terminal in; with yes it has been answered.
func confirm(ctx context.Context, in *os.File, w io.Writer, question string, yes bool) error {
	if yes {
		return nil
	}
	if !term.IsTerminal(int(in.Fd())) {
		return errors.New("there is no terminal to ask on, and nothing was changed; look at the plan, and add --yes")
	}
	fmt.Fprintf(w, "%s [y/N] ", question)
	answers := make(chan string, 1)
	go func() { // it ends with the program, if nobody answers
		answer, _ := bufio.NewReader(in).ReadString('\n') // no answer is no
		answers <- answer
	}()
	select {
	case <-ctx.Done():
		return errNotConfirmed
	case answer := <-answers:
		if a := strings.ToLower(strings.TrimSpace(answer)); a != "y" && a != "yes" {
			return errNotConfirmed
		}
		return nil
	}
}

// getService reads one Service by NAMESPACE/SERVICE.
func getService(ctx context.Context, client kubernetes.Interface, name string) (*corev1.Service, state.Ref, error) {
	ref, ok := state.ParseRef(name)
	if !ok {
		return nil, ref, fmt.Errorf("%q must be NAMESPACE/SERVICE", name)
	}
	svc, err := client.CoreV1().Services(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return nil, ref, fmt.Errorf("service %s: %w", ref, err)
	}
	return svc, ref, nil
}
