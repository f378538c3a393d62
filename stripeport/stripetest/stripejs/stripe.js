// A STAND-IN FOR STRIPE.JS, FOR TESTS. IT IS NOT STRIPE'S, AND NEVER FOR REAL
// CARDS: it refuses pk_live_ keys, and it never calls Stripe. What is typed into
// its payment element goes to the fake Stripe of stripeport/stripetest, and
// nowhere else. On a real page, load https://js.stripe.com/v3/ itself: Stripe
// allows no copy of it.
//
// The fake serves it at /v3/ and, as newer loaders ask for it, at
// /{train}/stripe.js: there is no build step, the files of this directory are
// joined as they are. It calls the API at, the first there is of:
//
//   1. window.STRIPE_STAND_IN_API, set before it is loaded
//   2. data-api of its script element
//   3. the origin that it was loaded from, unless that is Stripe's
//   4. the origin that the fake was asked for it at: so a test may answer
//      https://js.stripe.com/** with what it gets here
//
// What it does of Stripe.js is what one page with a payment element needs:
//
//   Stripe(pk, options)
//     .elements({clientSecret} | {mode: 'setup', currency})
//        .create('payment' | 'card')  .getElement  .submit  .fetchUpdates  .update  .on
//     .confirmSetup  .retrieveSetupIntent  .handleNextAction
//     .confirmCardSetup  .verifyMicrodepositsForSetup  .createPaymentMethod
//
// Whatever else there is of Stripe.js answers {error} with the code
// stand_in_unsupported. Texts are English whatever the locale. Marks as in the
// fake: [2nd] a text or code as others quote it, [U] a guess.

const loadedBy = document.currentScript;
const apiBase = findAPI();

/** @param {string} key a publishable key, pk_test_… */
function Stripe(key, options = {}) {
	checkKey(key);
	const api = new API(apiBase, key, options);
	const stripe = {
		elements: (opts) => new Elements(api, opts),

		confirmSetup: (opts) => confirmSetup(api, opts),

		/** Confirms with {payment_method: 'pm_…'} or {payment_method: {card: element | {token}, billing_details}}. */
		async confirmCardSetup(clientSecret, data = {}, {handleActions = true} = {}) {
			const id = intentOf(clientSecret, 'stripe.confirmCardSetup()');
			const {payment_method: method, ...rest} = data;
			const element = method?.card instanceof CardElement ? method.card : null;
			const invalid = element?.validate();
			if (invalid) return {error: invalid};
			const params = {...rest, client_secret: clientSecret, use_stripe_sdk: true};
			if (typeof method === 'string') params.payment_method = method;
			else if (method) params.payment_method_data = {type: 'card', ...merge(element?.data() ?? {}, method)};
			const answer = await whileBusy(element, () => api.post(`setup_intents/${id}/confirm`, params));
			return asSetup(handleActions ? await nextAction(api, answer, clientSecret) : answer);
		},

		async retrieveSetupIntent(clientSecret) {
			intentOf(clientSecret, 'stripe.retrieveSetupIntent()');
			return asSetup(await api.retrieve(clientSecret));
		},

		async handleNextAction({clientSecret} = {}) {
			intentOf(clientSecret, 'stripe.handleNextAction()');
			return asSetup(await nextAction(api, await api.retrieve(clientSecret), clientSecret));
		},

		async verifyMicrodepositsForSetup(clientSecret, data = {}) {
			const id = intentOf(clientSecret, 'stripe.verifyMicrodepositsForSetup()');
			return asSetup(await api.post(`setup_intents/${id}/verify_microdeposits`, {...data, client_secret: clientSecret}));
		},

		/** Makes one of {elements, params}, {element, params} or {type: 'card', card: element | {token}, …}. */
		async createPaymentMethod({elements, element = elements?.only(), params = {}, ...data} = {}) {
			if (data.card instanceof CardElement) ({card: element, ...data} = data);
			const invalid = element?.validate();
			if (invalid) return {error: invalid};
			const answer = await api.post('payment_methods', merge(element?.data() ?? {}, {...data, ...params}));
			return answer.error ? answer : {paymentMethod: answer.object};
		},

		// Loaders tell Stripe who they are; here is nobody to be told.
		registerAppInfo() {},
		_registerWrapper() {},
	};
	// @stripe/react-stripe-js asks whether some of these are there.
	for (const name of [
		'confirmPayment', 'confirmCardPayment', 'retrievePaymentIntent', 'createToken', 'createSource',
		'retrieveSource', 'createConfirmationToken', 'confirmBankAccountSetup', 'confirmUsBankAccountSetup',
		'confirmSepaDebitSetup', 'confirmAcssDebitSetup', 'collectBankAccountForSetup', 'handleCardAction',
		'initEmbeddedCheckout', 'initCheckout', 'redirectToCheckout', 'processOrder',
	]) {
		stripe[name] = async () => ({error: unsupported(`stripe.${name}()`)});
	}
	return stripe;
}

Stripe.version = served.version;
Stripe.standIn = true;
window.Stripe = Stripe;

/** Confirms with what the elements hold, and sees to what the bank asks. */
async function confirmSetup(api, {elements, clientSecret, confirmParams = {}, redirect = 'always'} = {}) {
	const caller = 'stripe.confirmSetup()';
	const secret = clientSecret ?? elements?.clientSecret;
	const id = intentOf(secret, caller);
	if (redirect !== 'always' && redirect !== 'if_required') {
		throw new IntegrationError(`Invalid value for ${caller}: redirect should be one of the following strings: always, if_required.`);
	}
	if (redirect === 'always' && !confirmParams.return_url) {
		throw new IntegrationError(`Missing value for ${caller}: confirmParams.return_url should be a URL string, unless redirect is if_required.`);
	}
	const {payment_method_data: given, ...rest} = confirmParams;
	const params = {...rest, client_secret: secret, use_stripe_sdk: true};
	const byElement = !rest.payment_method && !rest.confirmation_token;
	const element = byElement ? elements?.only() : null;
	if (byElement) {
		if (!element) throw new IntegrationError(`${caller} needs elements with a mounted payment element, or confirmParams.payment_method.`);
		if (elements.deferred && !elements.submitted) {
			throw new IntegrationError(`elements.submit() must be called before ${caller}.`);
		}
		const invalid = element.validate();
		if (invalid) return {error: invalid};
		params.payment_method_data = merge(element.data(), given);
	}
	const answer = await whileBusy(element, async () => nextAction(
		api, await api.post(`setup_intents/${id}/confirm`, params), secret,
	));
	if (answer.error) {
		element?.blame(answer.error);
		return answer;
	}
	if (redirect === 'always') return goTo(returnURL(rest.return_url, answer.object));
	return asSetup(answer);
}

/** Has the customer do what an intent in requires_action waits for. */
async function nextAction(api, answer, clientSecret) {
	const action = answer.object?.status === 'requires_action' && answer.object.next_action;
	if (action && action.type === 'redirect_to_url') return goTo(action.redirect_to_url.url);
	if (!action || action.type !== 'use_stripe_sdk') return answer;
	await challenge(api, new URL(action.use_stripe_sdk.stripe_js, api.base).pathname);
	const after = await api.retrieve(clientSecret);
	const failure = after.object?.status === 'requires_payment_method' && after.object.last_setup_error;
	if (!failure) return after;
	const message = failure.code === 'setup_intent_authentication_failure' ? messages.authentication_failed : failure.message;
	return {error: {...failure, message, setup_intent: after.object}};
}

async function whileBusy(element, work) {
	element?.setBusy(true);
	try {
		return await work();
	} finally {
		element?.setBusy(false);
	}
}

const asSetup = (answer) => (answer.error ? {error: answer.error} : {setupIntent: answer.object});

/** What the fields hold comes before what the page has given. */
function merge(fields, given = {}) {
	const address = {...given.billing_details?.address, ...fields.billing_details?.address};
	const billing = {...given.billing_details, ...fields.billing_details};
	if (Object.keys(address).length) billing.address = address;
	return {...given, ...fields, ...(Object.keys(billing).length && {billing_details: billing})};
}

function returnURL(url, intent) {
	const u = new URL(url, location.href);
	u.searchParams.set('setup_intent', intent.id);
	u.searchParams.set('setup_intent_client_secret', intent.client_secret);
	u.searchParams.set('redirect_status', {succeeded: 'succeeded', processing: 'pending'}[intent.status] ?? 'failed'); // [U] for pending
	return u.href;
}

/** Leaves the page: like Stripe's, the promise never ends. */
function goTo(url) {
	location.assign(url);
	return new Promise(() => {});
}

/** The id in a client secret. The error does not repeat the secret. */
function intentOf(clientSecret, caller) {
	const [, id] = /^(seti_[A-Za-z0-9]+)_secret_[A-Za-z0-9]+$/.exec(clientSecret ?? '') ?? [];
	if (id) return id;
	throw new IntegrationError(`Invalid value for ${caller}: clientSecret should be a client secret of the form \${id}_secret_\${secret}.`);
}

function checkKey(key) {
	if (typeof key !== 'string' || key === '') {
		throw new IntegrationError('Missing value for Stripe(): apiKey should be a string.');
	}
	if (/^[rs]k_/.test(key)) {
		throw new IntegrationError('You should not use your secret key with Stripe.js. Please pass a publishable key instead.');
	}
	if (!key.startsWith('pk_test_')) {
		throw new IntegrationError('This is a stand-in for Stripe.js, for tests: it takes pk_test_ keys alone. For real cards load https://js.stripe.com/v3/.');
	}
}

function findAPI() {
	const isStripe = (url) => /(^|\.)stripe\.(com|network)$/.test(new URL(url, location.href).hostname);
	const chosen = window.STRIPE_STAND_IN_API ?? loadedBy?.dataset.api;
	const base = chosen || (loadedBy?.src && !isStripe(loadedBy.src) ? new URL(loadedBy.src).origin : served.base);
	if (isStripe(base)) throw new IntegrationError('The stand-in for Stripe.js does not call Stripe: give it the URL of a fake.');
	return base.replace(/\/$/, '');
}
