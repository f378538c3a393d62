// The signup page, on Stripe.js. The client secret lives in local variables
// here and in Stripe.js, and nowhere else: not in a URL that we make, not in
// storage, not in a log. A reload asks for it again, by the id of the row; that
// id, the e-mail and the intent's id are all that the tab keeps.

import {messageOf, over} from '/messages.js';

const $ = (id) => document.getElementById(id);
const {publishableKey, stripeJs, api} = document.body.dataset;
const saved = sessionStorage;

// Where the bank sends people back to, the secret is in the URL: Stripe.js puts
// it there. It is taken out before any other script is loaded.
const returned = new URLSearchParams(location.search).get('setup_intent_client_secret');
if (location.search) history.replaceState(null, '', '/');

// Refused is an answer that is not a success. Its code is a word of the API's,
// or of ours.
class Refused extends Error {
	constructor(code) {
		super(messageOf(code));
		this.code = code;
	}
}

// post sends JSON, if any, and again where the server asks for a little patience.
async function post(path, body) {
	for (let tries = 0; ; tries++) {
		let response;
		try {
			response = await fetch(path, {
				method: 'POST',
				headers: body ? {'Content-Type': 'application/json'} : {},
				body: body && JSON.stringify(body),
			});
		} catch {
			throw new Refused('offline');
		}
		const answer = await response.json().catch(() => ({}));
		if (response.ok) return answer;
		const wait = Number(response.headers.get('Retry-After'));
		if (!wait || wait > 5 || tries === 3) throw new Refused(codeOf(response.status, answer));
		await new Promise((resolve) => setTimeout(resolve, 1000 * wait));
	}
}

function codeOf(status, {detail}) {
	if (status === 429) return 'rate_limited';
	if (status === 422) return 'invalid_email'; // a list of what is wrong with the form
	return typeof detail === 'string' ? detail : '';
}

const row = (verb) => `/v2/signup/pending/${saved.getItem('pendingId')}/${verb}`;

function notify(text, advice = '') {
	const lines = [text, advice].filter(Boolean).map((line, i) => {
		const node = document.createElement(i ? 'p' : 'strong');
		node.textContent = line;
		return node;
	});
	$('notice').replaceChildren(...lines);
	$('notice').hidden = !text;
	if (!text) return;
	$('notice').scrollIntoView({block: 'nearest'}); // on a phone it is far above the button
	if (document.activeElement === document.body) $('notice').focus(); // the button that had the focus is off
}

let account = saved.getItem('email') ?? ''; // that is signing up

const steps = ['details', 'payment', 'done'];

function show(section) {
	const now = steps.indexOf(section === 'waiting' ? 'payment' : section);
	for (const name of [...steps, 'waiting']) $(name).hidden = name !== section;
	steps.forEach((name, i) => {
		$(`step-${name}`).classList.toggle('past', i < now || section === 'done');
		if (i === now) $(`step-${name}`).setAttribute('aria-current', 'step');
		else $(`step-${name}`).removeAttribute('aria-current');
	});
	for (const node of document.querySelectorAll('[data-account]')) node.textContent = account;
}

let working = false;

// busy runs work, one at a time, with the buttons off, and tells what went wrong.
async function busy(work) {
	if (working) return;
	working = true;
	$('notice').hidden = true;
	refresh();
	try {
		await work();
	} catch (err) {
		if (over.includes(err.code)) restart();
		if (err.code === 'processing') show('waiting');
		else notify(err instanceof Refused ? err.message : messageOf(''));
		if (!(err instanceof Refused)) console.error(err.name); // a bug; its message might hold a secret
	} finally {
		working = false;
		refresh();
	}
}

// refresh makes the buttons say and do what they can.
function refresh() {
	for (const button of document.querySelectorAll('main button')) button.disabled = working;
	for (const name of ['details', 'payment', 'waiting']) $(name).setAttribute('aria-busy', working);
	$('save').disabled = working || form?.ready === false;
	$('save').textContent = form ? 'Save card' : 'Try again';
}

function restart() {
	saved.clear();
	form?.element.destroy();
	form = null;
	notify('');
	show('details');
	$('email').focus();
}

let loading;

function loadStripe() {
	loading ??= new Promise((resolve, reject) => {
		const script = document.createElement('script');
		script.src = stripeJs;
		script.dataset.api = api; // which Stripe's own does not look at
		script.onload = () => resolve(window.Stripe(publishableKey));
		script.onerror = () => {
			script.remove();
			loading = null;
			reject(new Refused('no_stripe'));
		};
		document.head.append(script);
	});
	return loading;
}

// form is the payment element on the page: {elements, element, ready}. Without
// one the button tries again.
let form = null;

// pay mounts the payment element on the row's one intent, new or again.
async function pay() {
	show('payment');
	const asked = post(row('setup-intent')); // at the same time as the script
	asked.catch(() => {});
	const stripe = await loadStripe();
	let intent;
	try {
		intent = await asked;
	} catch (err) {
		if (err.code === 'already_active') return activate();
		throw err;
	}
	saved.setItem('setupIntentId', intent.setupIntentId);
	form?.element.destroy();
	const elements = stripe.elements({clientSecret: intent.clientSecret, appearance: appearance()});
	const element = elements.create('payment', {business: {name: 'Cardonfile demo'}});
	const mine = {elements, element, ready: false};
	form = mine;
	element.on('ready', () => {
		mine.ready = true;
		refresh();
		element.focus();
	});
	element.on('loaderror', ({error}) => {
		if (form === mine) form = null;
		notify(messageOf('no_stripe'), error.message);
		refresh();
	});
	element.mount('#payment-element');
}

// settle goes on from what has become of the intent.
async function settle(intent) {
	if (intent.status === 'succeeded') return activate();
	if (intent.status === 'processing') throw new Refused('processing');
	await pay();
	notify('Your card was not saved.', intent.last_setup_error?.message ?? 'Please try again.');
}

async function activate() {
	const user = await post(row('activate'), {setupIntentId: saved.getItem('setupIntentId')});
	saved.clear();
	account = user.email;
	form?.element.destroy();
	form = null;
	show('done');
	$('done').focus();
}

// appearance hands the page's own colours to Stripe.js, which cannot read them.
const dark = matchMedia('(prefers-color-scheme: dark)');
function appearance() {
	const style = (selector, property) => getComputedStyle(document.querySelector(selector))[property];
	return {
		theme: dark.matches ? 'night' : 'stripe',
		variables: {
			colorPrimary: style('main > .brand > span', 'backgroundColor'),
			colorBackground: style('#email', 'backgroundColor'),
			colorText: style('main', 'color'),
			colorDanger: style('#notice', 'color'),
			borderRadius: style('#email', 'borderTopLeftRadius'),
			fontFamily: style('body', 'fontFamily'),
		},
	};
}
dark.addEventListener('change', () => form?.elements.update({appearance: appearance()}));

$('details').addEventListener('submit', (event) => {
	event.preventDefault();
	busy(async () => {
		account = $('email').value.trim();
		const {pendingId} = await post('/v2/signup/pending', {email: account});
		saved.setItem('pendingId', pendingId);
		saved.setItem('email', account);
		await pay();
	});
});

$('payment').addEventListener('submit', (event) => {
	event.preventDefault();
	busy(async () => {
		if (!form) return pay();
		const stripe = await loadStripe();
		$('save').textContent = 'Saving…';
		const {error, setupIntent} = await stripe.confirmSetup({
			elements: form.elements,
			confirmParams: {return_url: `${location.origin}/`},
			redirect: 'if_required',
		});
		if (!error) return settle(setupIntent);
		// Another tab may have ended the intent. Otherwise the same one takes the
		// next card.
		if (error.code === 'setup_intent_unexpected_state') return pay();
		if (error.type === 'validation_error') return undefined; // it stands beside the field
		if (error.type === 'api_error') throw new Refused('unavailable'); // Stripe's text is not for customers
		const card = error.type === 'card_error' || error.code === 'setup_intent_authentication_failure';
		notify(error.message, card ? 'Nothing was saved. Try again, or use another card.' : '');
	});
});

$('waiting').addEventListener('submit', (event) => {
	event.preventDefault();
	busy(pay); // which finds out what has become of the intent
});

for (const button of document.querySelectorAll('[data-restart]')) button.addEventListener('click', restart);

for (const button of document.querySelectorAll('[data-copy]')) {
	button.addEventListener('click', async () => {
		await navigator.clipboard?.writeText(button.dataset.copy);
		$('copied').textContent = `Copied ${button.querySelector('code').textContent}.`;
	});
}

loadStripe().catch(() => {}); // early; who needs it hears of it
if (!saved.getItem('pendingId')) {
	show('details');
	refresh();
	if (returned) notify('Welcome back.', 'Enter your e-mail again, and we go on where you left off.');
} else if (returned) {
	show('payment');
	busy(async () => {
		const stripe = await loadStripe();
		const {error, setupIntent} = await stripe.retrieveSetupIntent(returned);
		return error ? pay() : settle(setupIntent);
	});
} else {
	busy(pay);
}
