package f5

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"landbridge.dev/sync/apply"
	"landbridge.dev/sync/plan"
)

// The reasons of Outcomes.
const (
	ReasonAccessDenied       = "AccessDenied"
	ReasonAddressInUse       = "AddressInUse"
	ReasonAlreadyExists      = "AlreadyExists"
	ReasonCertificateInvalid = "CertificateInvalid"
	ReasonDeviceFailed       = "DeviceFailed"
	ReasonDeviceRefused      = "DeviceRefused"
	ReasonDeviceStarting     = "DeviceStarting"
	ReasonForeign            = "Foreign"
	ReasonInUse              = "InUse"
	ReasonLoginFailed        = "LoginFailed"
	ReasonManagedElsewhere   = "ManagedElsewhere"
	ReasonNoAnswer           = "NoAnswer"
	ReasonNoActiveUnit       = "NoActiveUnit"
	ReasonNotFound           = "NotFound"
	ReasonPartitionNotFound  = "PartitionNotFound"
	ReasonReferenceNotFound  = "ReferenceNotFound"
	ReasonStopped            = "Stopped"
	ReasonTransactionLost    = "TransactionLost"
	ReasonUnitChanged        = "UnitChanged"
	ReasonUnreachable        = "Unreachable"
)

// refusal is a change that is refused for a reason of its own.
type refusal struct {
	reason string
	err    error
}

func (r *refusal) Error() string { return r.err.Error() }

func (r *refusal) Unwrap() error { return r.err }

// outcome says what an error of a change means.
func outcome(c plan.Change, err error) apply.Outcome {
	status, reason, advice := classify(err)
	if advice != "" {
		err = fmt.Errorf("%s: %w", advice, err)
	}
	return apply.Outcome{
		Status: status, Stale: status == apply.Refused && (reason == ReasonNotFound || reason == ReasonAlreadyExists),
		Reason: reason, Err: fmt.Errorf("%s %s: %w", c.Op, c.ID(), err),
	}
}

func classify(err error) (status apply.Status, reason, advice string) {
	var (
		refused *refusal
		unit    *unitError
		before  *beforeCallError
		answer  *Error
	)
	switch {
	case errors.As(err, &refused):
		return apply.Refused, refused.reason, ""
	case errors.As(err, &unit):
		return apply.Unavailable, unit.reason, ""
	case errors.As(err, &before):
		return apply.Unavailable, beforeReason(err), ""
	case errors.As(err, &answer):
		return classifyAnswer(answer)
	}
	var call *callError
	if !errors.As(err, &call) {
		return apply.Refused, ReasonDeviceRefused, ""
	}
	if call.sent {
		return apply.Unknown, ReasonNoAnswer, ""
	}
	return apply.Unavailable, beforeReason(err), ""
}

// beforeReason is why a call was not made.
func beforeReason(err error) string {
	var (
		certificate *tls.CertificateVerificationError
		call        *callError
	)
	switch {
	case errors.As(err, &certificate):
		return ReasonCertificateInvalid
	case errors.Is(err, context.Canceled) || errors.Is(err, errClosed):
		return ReasonStopped
	case errors.As(err, &call):
		return ReasonUnreachable
	}
	return ReasonLoginFailed
}

func classifyAnswer(e *Error) (status apply.Status, reason, advice string) {
	switch {
	case e.unauthorized():
		return apply.Unavailable, ReasonLoginFailed, "the device does not take the token that it just gave"
	case e.Status == http.StatusServiceUnavailable || e.Status == http.StatusTooManyRequests || e.starting():
		return apply.Unavailable, ReasonDeviceStarting, "the device takes no calls now"
	case e.Status >= http.StatusInternalServerError || e.Status == http.StatusRequestTimeout:
		return apply.Unknown, ReasonDeviceFailed, ""
	}
	reason, advice = whyRefused(e)
	return apply.Refused, reason, advice
}

// whyRefused names the reason of a 4xx, and what a person can do.
func whyRefused(e *Error) (reason, advice string) {
	switch e.Code {
	case codeSharedFrontend, codeSharedAddress:
		return ReasonAddressInUse, "another virtual server listens on this address and port: choose another virtual-address, or take that one away"
	case codeNotFound:
		return ReasonNotFound, "it, or what it refers to, is not on the device: the next full read brings it back where it is ours"
	case codeExists:
		return ReasonAlreadyExists, "an object of this name stands already"
	case codeAddressExists:
		return ReasonAddressInUse, "another object has this address"
	case codePoolInUse, codeNodeInUse, codeMonitorInUse:
		return ReasonInUse, "something on the device still refers to it"
	case codeForeignKey:
		return ReasonReferenceNotFound, "something that it refers to is not on the device"
	case codeAppService:
		return ReasonManagedElsewhere, "an application service of the device manages it"
	}
	switch {
	case e.denied():
		return ReasonAccessDenied, "the device's user may not do this: give it the role of manager in this partition"
	case strings.Contains(e.Message, "The requested folder") || strings.Contains(e.Message, "folder does not exist"):
		return ReasonPartitionNotFound, "the partition is not on the device: make it there, or name another in the annotation landbridge.dev/partition"
	case e.absent():
		return ReasonNotFound, "it is not on the device: the next full read brings it back where it is ours"
	case e.exists():
		return ReasonAlreadyExists, "an object of this name stands already"
	}
	return ReasonDeviceRefused, ""
}

// ofTheDevice says whether the failure is of the device as a whole, so that
// further Units would only meet it too, each after its own time-out.
func ofTheDevice(out apply.Outcome) bool {
	if out.Reason == ReasonStopped {
		return false
	}
	return out.Status == apply.Unavailable || out.Status == apply.Unknown && errors.Is(out.Err, context.DeadlineExceeded)
}

// notTried is the Outcome of a Unit that was not begun because another failed
// so. Its error says what the device does, not what became of the other.
func notTried(failed apply.Outcome) apply.Outcome {
	cause := failed.Err
	var (
		unit   *unitError
		before *beforeCallError
		call   *callError
		answer *Error
	)
	switch {
	case errors.As(failed.Err, &unit):
		cause = unit.err
	case errors.As(failed.Err, &before):
		cause = before.err
	case errors.As(failed.Err, &call):
		cause = call.err
	case errors.As(failed.Err, &answer) && answer.Message != "":
		cause = errors.New(answer.Message)
	}
	return apply.Outcome{Status: apply.Unavailable, Reason: failed.Reason, Err: fmt.Errorf("not tried, since the device fails: %w", cause)}
}

// readError is why a read failed. It knows its reason, as apply.Reasoned asks.
type readError struct {
	reason string
	err    error
}

func newReadError(backend string, err error) error {
	_, reason, advice := classify(err)
	if advice != "" {
		err = fmt.Errorf("%s: %w", advice, err)
	}
	return &readError{reason: reason, err: fmt.Errorf("reading %s: %w", backend, err)}
}

func (e *readError) Error() string { return e.err.Error() }

func (e *readError) Unwrap() error { return e.err }

// Reason is one CamelCase word for a condition.
func (e *readError) Reason() string { return e.reason }
