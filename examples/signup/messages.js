// What the page says to the codes of the API. A code that is not here is
// nobody's business but ours.

const messages = {
	email_taken: 'There is an account with this e-mail already.',
	invalid_email: 'Please enter a valid e-mail address.',
	rate_limited: 'That was a lot of tries. Please wait a minute, and try again.',

	pending_not_found: 'We do not know this signup any more. Please start again.',
	abandoned: 'This signup is no longer open: its time is over, or too many cards were declined. Please start again; it takes a minute.',
	cancelled: 'This signup was cancelled. Please start again.',
	closing: 'This signup is being closed. Please start again.',
	not_pending: 'This signup is over. Please start again.',
	mismatch: 'This signup is over. Please start again.',

	too_many_attempts: 'This signup has used up its attempts. Please try again later.',
	not_succeeded: 'Your card was not saved. Please try again.',
	in_progress: 'We are still on it. Please try again in a moment.',
	unavailable: 'The payment service does not answer right now. Please try again in a moment.',
	provider_refused: 'The payment service does not take new cards right now. Please try again later.',
	offline: 'We could not reach the server. Check your connection, and try again.',
	no_stripe: 'The payment form could not be loaded. Check your connection, and try again.',
};

// over lists the codes after which only a new signup helps.
export const over = ['pending_not_found', 'abandoned', 'cancelled', 'closing', 'not_pending', 'mismatch'];

export const messageOf = (code) => messages[code] ?? 'Something went wrong. Please try again.';
