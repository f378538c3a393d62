package stripetest

import "net/http"

// setupAttempt is Stripe's object: one try at confirming an intent.
type setupAttempt struct {
	ID             string         `json:"id"`
	Object         string         `json:"object"`
	Application    ref            `json:"application"`
	AttachToSelf   *bool          `json:"attach_to_self,omitempty"`
	Created        int64          `json:"created"`
	Customer       ref            `json:"customer"`
	FlowDirections []string       `json:"flow_directions"`
	Livemode       bool           `json:"livemode"`
	OnBehalfOf     ref            `json:"on_behalf_of"`
	PaymentMethod  ref            `json:"payment_method"`
	Details        map[string]any `json:"payment_method_details"`
	SetupError     *apiError      `json:"setup_error"`
	SetupIntent    ref            `json:"setup_intent"`
	Status         string         `json:"status"`
	Usage          string         `json:"usage"`
}

// The statuses of a SetupAttempt that a SetupIntent has not.
const (
	attemptFailed    = "failed"
	attemptAbandoned = "abandoned"
)

func (a *setupAttempt) rowID() string     { return a.ID }
func (a *setupAttempt) rowCreated() int64 { return a.Created }

// attempt notes a new try at confirming si with pm; one that was still open is
// abandoned by it.
func (s *Server) attempt(si *setupIntent, pm *paymentMethod, status string) *setupAttempt {
	s.settleAttempt(si, attemptAbandoned, nil)
	a := &setupAttempt{
		ID: s.ids.object("setatt"), Object: "setup_attempt", AttachToSelf: si.AttachToSelf, Created: s.clock.now().Unix(),
		Customer: si.Customer, FlowDirections: si.FlowDirections, OnBehalfOf: si.OnBehalfOf, PaymentMethod: ref{id: pm.ID},
		Details: pm.attemptDetails(), SetupIntent: ref{id: si.ID}, Status: status, Usage: si.Usage,
	}
	si.LatestAttempt = ref{id: a.ID}
	s.save(a)
	return a
}

// settleAttempt ends the latest attempt of si, if it is open.
func (s *Server) settleAttempt(si *setupIntent, status string, failure *apiError) {
	a, ok := s.state.attempts.get(si.LatestAttempt.id)
	if !ok || a.Status != statusNeedsAction && a.Status != statusProcessing {
		return
	}
	a.Status, a.SetupError = status, failure
	s.save(a)
}

func attemptRoutes() []*route {
	return []*route{
		{"GET /v1/setup_attempts", secretOnly, "list setup_attempt", pageParams().with(createdParam()).with(params{
			"setup_intent": word().must(),
		}), listAttempts},
	}
}

func listAttempts(c *call) (any, error) {
	intent := c.params.str("setup_intent")
	if _, ok := c.srv.state.intents.get(intent); !ok {
		return nil, missing(http.StatusBadRequest, "setupintent", "setup_intent", intent)
	}
	return page(c, &c.srv.state.attempts, "setupattempt", func(a *setupAttempt) bool { return a.SetupIntent.id == intent })
}
