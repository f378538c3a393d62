// Elements, and the payment element: the fields of a card in a shadow root,
// where the page's styles do not reach.

class Elements extends Emitter {
	#elements = new Map();

	constructor(api, options = {}) {
		super();
		if (options.clientSecret !== undefined) intentOf(options.clientSecret, 'elements()');
		if (options.mode !== undefined && options.mode !== 'setup') {
			throw new IntegrationError(`elements(): the stand-in for Stripe.js knows the mode setup alone, not ${options.mode}.`);
		}
		this.api = api;
		this.clientSecret = options.clientSecret;
		this.deferred = options.mode === 'setup';
		this.submitted = false;
		this.appearance = options.appearance ?? {};
	}

	create(type, options = {}) {
		const Kind = {payment: PaymentElement, card: CardElement}[type];
		if (!Kind) throw new IntegrationError(`elements.create('${type}') is not supported by the stand-in for Stripe.js.`);
		if (this.#elements.has(type)) throw new IntegrationError(`Can only create one Element of type ${type}.`); // [2nd]
		if (type === 'payment' && !this.clientSecret && !this.deferred) {
			throw new IntegrationError('elements.create(\'payment\') needs elements({clientSecret}) or elements({mode: \'setup\', currency}).');
		}
		const element = new Kind(this, options, () => this.#elements.delete(type));
		this.#elements.set(type, element);
		return element;
	}

	getElement(type) { return this.#elements.get(type) ?? null; }

	/** The element to confirm with. */
	only() { return this.getElement('payment') ?? this.getElement('card'); }

	async submit() {
		const element = this.only();
		if (!element) throw new IntegrationError('elements.submit() needs a mounted payment element.');
		const error = element.validate();
		this.submitted = !error;
		return error ? {error} : {selectedPaymentMethod: 'card'};
	}

	async fetchUpdates() {
		if (!this.clientSecret) return {error: {message: 'There is no client secret to fetch updates with.'}};
		const {error} = await this.api.retrieve(this.clientSecret);
		return error ? {error: {message: error.message, status: error.code}} : {};
	}

	async update({appearance} = {}) {
		if (appearance) this.appearance = appearance;
		for (const element of this.#elements.values()) element.dress();
		this.emit('update-end');
	}
}

class CardElement extends Emitter {
	get elementType() { return 'card'; }

	#group;
	#options;
	#forget;
	#root;
	#form;
	#tab = h('button', {type: 'button', class: 'Tab', hidden: true, 'aria-expanded': 'false'}, brandIcon('unknown'), 'Card');
	#fields;
	#last = '';
	#state = 'new'; // mounted, unmounted, destroyed

	constructor(group, options, forget) {
		super();
		this.#group = group;
		this.#options = options;
		this.#forget = forget;
		({host: this.host, root: this.#root} = shadowHost('__StripeStandIn', elementSheet));
		this.#build();
		this.dress();
	}

	mount(where) {
		const container = typeof where === 'string' ? document.querySelector(where) : where;
		if (this.#state === 'destroyed') throw new IntegrationError('This Element has been destroyed. Please create a new one.');
		if (!(container instanceof Element)) {
			throw new IntegrationError(`The selector you specified (${where}) applies to no DOM elements that are currently on the page.`);
		}
		container.replaceChildren(this.host);
		if (this.#state !== 'mounted') this.#load();
		this.#state = 'mounted';
	}

	unmount() {
		this.host.remove();
		if (this.#state !== 'destroyed') this.#state = 'unmounted';
	}

	destroy() {
		this.unmount();
		this.#state = 'destroyed';
		this.#forget();
	}

	focus() { (this.#list().find((field) => !field.complete) ?? this.#fields.number).input.focus(); }
	blur() { this.#root.activeElement?.blur(); }

	clear() {
		for (const field of [this.#fields.number, this.#fields.expiry, this.#fields.cvc, this.#fields.postalCode]) field.value = '';
		this.#changed();
	}

	collapse() { return this.#collapse(true); }

	update(options = {}) {
		this.#options = {...this.#options, ...options};
		this.#configure();
		return this;
	}

	/** Shows all that is wrong, goes there, and returns the first as an error. */
	validate() {
		this.#collapse(false);
		const wrong = this.#list().filter((field) => field.review(true) !== '');
		if (!wrong.length) return null;
		wrong[0].input.focus();
		return validationError(wrong[0].check(wrong[0].value));
	}

	/** What the API takes as payment_method_data. */
	data() {
		const {number, expiry, cvc, country, postalCode} = this.#fields;
		const {month, year} = parseExpiry(expiry.value);
		const address = {
			...(!country.hidden && {country: country.value}),
			...(!postalCode.hidden && {postal_code: postalCode.value}),
		};
		return {
			type: 'card',
			card: {number: digitsOf(number.value), exp_month: month, exp_year: year, cvc: cvc.value},
			...(Object.keys(address).length && {billing_details: {address}}),
			payment_user_agent: `stripe.js/stand-in; ${this.elementType}-element`,
		};
	}

	/** Puts what the API refused beside the field that it is about. */
	blame(error) {
		if (error.type !== 'card_error') return;
		const {number, expiry, cvc} = this.#fields;
		const field = {exp_month: expiry, exp_year: expiry, cvc}[error.param] ?? number;
		field.blame(error.message);
		field.input.focus();
	}

	setBusy(busy) {
		this.#form.setAttribute('aria-busy', String(busy));
		for (const {input} of Object.values(this.#fields)) {
			if (input.localName === 'select') input.disabled = busy || this.#options.readOnly === true;
			else input.readOnly = busy || this.#options.readOnly === true;
		}
	}

	dress() {
		this.#root.adoptedStyleSheets = [elementSheet, dress(this.host, this.#group.appearance)];
	}

	get collapsed() { return !this.#tab.hidden; }

	#list() { return Object.values(this.#fields); }

	#build() {
		const address = this.#options.defaultValues?.billingDetails?.address ?? {};
		const region = new Intl.Locale(navigator.language).region;
		const number = numberField();
		const expiry = expiryField();
		const cvc = codeField(() => brandOf(digitsOf(number.value)));
		const country = countryField(address.country ?? (countryCodes.includes(region) ? region : 'US'));
		const postalCode = postalField(() => country.value);
		if (address.postal_code) postalCode.value = address.postal_code;
		this.#fields = {number, expiry, cvc, country, postalCode};
		this.terms = h('p', {class: 'Terms'});
		this.#form = h('fieldset', {class: 'Form', 'aria-label': 'Card', hidden: true},
			number.node,
			h('div', {class: 'Row'}, expiry.node, cvc.node),
			h('div', {class: 'Row'}, country.node, postalCode.node),
			this.terms,
			h('p', {class: 'StandIn'}, h('span', {class: 'Badge'}, 'TEST'), 'A stand-in for Stripe: test cards only'),
		);
		this.loader = h('div', {class: 'Loader', 'aria-label': 'Loading', role: 'status'},
			h('div'), h('div', {class: 'Row'}, h('div'), h('div')), h('div', {class: 'Row'}, h('div'), h('div')));
		this.problem = h('p', {class: 'Error', role: 'alert'});
		this.#root.append(this.loader, this.problem, this.#tab, this.#form);
		this.#listen();
		this.#configure();
	}

	#listen() {
		const {number, expiry, cvc, country, postalCode} = this.#fields;
		// A full field hands on to the next, and an empty one back.
		const order = [number, expiry, cvc];
		order.forEach((field, i) => {
			field.on('input', ({filled}) => filled && order[i + 1] && !order[i + 1].value && order[i + 1].input.focus());
			field.input.addEventListener('keydown', (event) => {
				if (event.key !== 'Backspace' || field.input.value || !order[i - 1]) return;
				event.preventDefault();
				order[i - 1].input.focus();
			});
		});
		number.on('input', () => cvc.paint());
		country.on('input', () => {
			postalCode.paint();
			postalCode.value = '';
		});
		for (const field of this.#list()) field.on('input', () => this.#changed());

		const {elementType} = this;
		const stays = ({relatedTarget}) => relatedTarget instanceof Node && this.#root.contains(relatedTarget);
		this.#root.addEventListener('focusin', (event) => stays(event) || this.emit('focus', {elementType}));
		this.#root.addEventListener('focusout', (event) => stays(event) || this.emit('blur', {elementType}));
		this.#root.addEventListener('keydown', (event) => {
			if (event.key === 'Escape') this.emit('escape', {elementType});
			if (event.key === 'Enter' && event.target.localName === 'input') this.#submitForm();
		});
		this.#tab.addEventListener('click', () => {
			this.#collapse(false);
			this.focus();
		});
	}

	/** Does what Enter does in a field of the page's own form. */
	#submitForm() {
		const form = this.host.closest('form');
		const button = form?.querySelector('button:not([type=button], [type=reset]), input[type=submit]');
		if (button) button.click(); // which does nothing while it is disabled
		else form?.requestSubmit();
	}

	/** Takes over the options that may change later. */
	#configure() {
		const {fields = {}, business, terms = {}, layout} = this.#options;
		const details = fields.billingDetails ?? 'auto';
		const address = details === 'never' ? 'never' : details.address ?? 'auto';
		const {country, postalCode} = this.#fields;
		postalCode.paint();
		country.node.hidden = this.elementType === 'card' || address === 'never' || address.country === 'never';
		if (country.hidden || address.postalCode === 'never') postalCode.node.hidden = true;
		this.terms.hidden = this.elementType === 'card' || terms.card === 'never';
		this.terms.textContent = `By providing your card information, you allow ${business?.name ?? 'the business'} to charge your card`
			+ ' for future payments in accordance with their terms.'; // [2nd]
		if (layout?.defaultCollapsed && this.#state === 'new') this.#collapse(true);
		this.setBusy(false);
	}

	/** Looks at the intent before it asks for a card. */
	async #load() {
		const {elementType} = this;
		await null; // who calls mount sets handlers after it, too
		this.emit('loaderstart', {elementType});
		const {api, clientSecret} = this.#group;
		const {object, error = cannotCollect(object)} = clientSecret && elementType === 'payment' ? await api.retrieve(clientSecret) : {};
		this.loader.hidden = true;
		this.problem.textContent = error?.message ?? '';
		if (error) {
			this.emit('loaderror', {elementType, error});
			return;
		}
		this.#form.hidden = this.collapsed;
		this.emit('ready', {elementType});
	}

	#collapse(collapsed) {
		this.#tab.hidden = !collapsed;
		this.#form.hidden = collapsed;
		this.#changed();
		return this;
	}

	#changed() {
		const fields = this.#list().filter((field) => field.name !== 'country');
		const payload = this.event(fields.every((field) => !field.value), this.#list().every((field) => field.complete), fields);
		const said = JSON.stringify(payload);
		if (said === this.#last) return;
		this.#last = said;
		this.emit('change', payload);
	}

	/** What a change event tells; a card element tells more than a payment element. */
	event(empty, complete, [number, , , postalCode]) {
		const wrong = this.#list().find((field) => field.error.textContent);
		return {
			elementType: 'card', empty, complete, brand: brandOf(digitsOf(number.value)).name,
			value: {postalCode: postalCode.value}, error: wrong && validationError(wrong.check(wrong.value)),
		};
	}
}

class PaymentElement extends CardElement {
	get elementType() { return 'payment'; }

	event(empty, complete) {
		return {elementType: 'payment', empty, complete, collapsed: this.collapsed, value: {type: 'card'}};
	}
}

/** Why an intent cannot be given a card, undefined if it can. */
function cannotCollect(intent) {
	if (!intent) return undefined;
	if (intent.status === 'succeeded' || intent.status === 'canceled') {
		return {
			type: 'invalid_request_error', code: 'setup_intent_unexpected_state',
			message: 'This SetupIntent is in a terminal state and cannot be used to initialize Elements.', // [2nd]
		};
	}
	if (!intent.payment_method_types.includes('card')) return unsupported('A SetupIntent without cards');
	return undefined;
}
