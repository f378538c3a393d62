// Errors, in the shape that Stripe.js gives them.

/** A mistake of the page's own code. */
class IntegrationError extends Error {
	name = 'IntegrationError';
}

const messages = { // [2nd]
	incomplete_number: 'Your card number is incomplete.',
	invalid_number: 'Your card number is invalid.',
	incomplete_expiry: 'Your card’s expiration date is incomplete.',
	invalid_expiry_month_past: 'Your card’s expiration date is in the past.',
	invalid_expiry_year_past: 'Your card’s expiration year is in the past.',
	invalid_expiry_year: 'Your card’s expiration year is invalid.',
	incomplete_cvc: 'Your card’s security code is incomplete.',
	incomplete_zip: 'Your postal code is incomplete.',
	authentication_failed: 'We are unable to authenticate your payment method. Please choose a different payment method and try again.',
	offline: 'We are experiencing issues connecting to our payments provider. Please check your internet connection and try again.',
	unreadable: 'An unexpected error occurred. Please try again.',
};

const validationError = (code) => ({type: 'validation_error', code, message: messages[code]});

const unsupported = (what) => ({
	type: 'invalid_request_error', code: 'stand_in_unsupported',
	message: `${what} is not supported by the stand-in for Stripe.js.`,
});
