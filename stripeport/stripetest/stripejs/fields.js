// The fields of a payment element. Each is a label, a control and a place for
// its error, which the control is described by.

let fieldCount = 0;

class Field extends Emitter {
	/** check returns the code of what is wrong, or ''; format what the control shows after a change. */
	constructor({name, label, check, format = (text) => text, options, ...attributes}) {
		super();
		const id = `field-${name}-${++fieldCount}`;
		this.name = name;
		this.check = check;
		this.format = format;
		this.touched = false; // left once, or sent: from then on it says what is wrong
		this.blamed = false;
		this.label = h('label', {for: id, class: 'Label'}, label);
		this.input = h(options ? 'select' : 'input', {
			id, name, class: 'Input', 'aria-describedby': `${id}-error`, 'aria-invalid': 'false', ...attributes,
		}, ...(options ?? []));
		this.icons = h('span', {class: 'Icons'});
		this.error = h('p', {id: `${id}-error`, class: 'Error', 'aria-live': 'polite'});
		this.node = h('div', {class: 'Field'}, this.label, h('div', {class: 'Control'}, this.input, this.icons), this.error);
		this.input.addEventListener('input', (event) => this.#typed(event));
		this.input.addEventListener('blur', () => {
			this.touched ||= this.value !== '';
			this.review();
		});
	}

	get value() { return this.input.value.trim(); }

	set value(text) {
		this.input.value = this.format(text);
		this.touched = this.blamed = false;
		this.review();
	}

	get hidden() { return this.node.hidden; }
	get complete() { return this.hidden || this.check(this.value) === ''; }

	/** Shows what is wrong, if it is time to, and returns its code. */
	review(now = false) {
		this.touched ||= now;
		this.blamed &&= !now;
		const code = this.hidden ? '' : this.check(this.value);
		const unfinished = code.startsWith('incomplete');
		if (!this.blamed) this.show(code && (this.touched || !unfinished) && (now || this.value !== '') ? messages[code] : '');
		return code;
	}

	/** Shows what was refused elsewhere, until the field changes or is sent again. */
	blame(message) {
		this.blamed = true;
		this.show(message);
	}

	show(message) {
		if (this.error.textContent !== message) this.error.textContent = message;
		this.input.setAttribute('aria-invalid', String(message !== ''));
		this.input.classList.toggle('Input--invalid', message !== '');
	}

	/** Formats what was typed, and leaves the caret behind the same character. */
	#typed(event) {
		const {input} = this;
		const deleting = event.inputType?.startsWith('delete') ?? false;
		if (input.localName === 'input') {
			const [text, caret] = [input.value, input.selectionStart];
			const atEnd = caret === text.length;
			const before = text.slice(0, caret).replace(/\W/g, '').length;
			input.value = this.format(text, deleting);
			if (!atEnd) {
				let [at, left] = [0, before];
				for (; at < input.value.length && left > 0; at++) if (/\w/.test(input.value[at])) left--;
				input.setSelectionRange(at, at);
			}
		}
		this.touched = this.blamed = false; // a new try
		const code = this.review();
		this.emit('input', {filled: code === '' && !deleting && input.selectionStart === input.value.length});
	}
}

const shownBrands = ['visa', 'mastercard', 'amex', 'discover'];

function numberField() {
	const field = new Field({
		name: 'number', label: 'Card number', placeholder: '1234 1234 1234 1234', inputmode: 'numeric',
		autocomplete: 'cc-number', check: checkNumber, format: formatNumber,
	});
	field.paint = () => {
		const digits = digitsOf(field.value);
		const shown = digits ? [brandOf(digits).name] : shownBrands;
		field.input.classList.toggle('Input--wide-icon', shown.length > 1);
		field.input.classList.toggle('Input--icon', shown.length === 1);
		if (field.painted !== shown.join()) field.icons.replaceChildren(...shown.map(brandIcon));
		field.painted = shown.join();
	};
	field.on('input', field.paint);
	field.paint();
	return field;
}

function expiryField() {
	return new Field({
		name: 'expiry', label: 'Expiration date', placeholder: 'MM / YY', inputmode: 'numeric',
		autocomplete: 'cc-exp', check: (text) => checkExpiry(text), format: formatExpiry,
	});
}

function codeField(brand) {
	const field = new Field({
		name: 'cvc', label: 'Security code', placeholder: 'CVC', inputmode: 'numeric', autocomplete: 'cc-csc',
		check: (text) => checkCVC(text, brand()), format: (text) => digitsOf(text).slice(0, brand().cvc),
	});
	field.input.classList.add('Input--icon');
	field.paint = () => {
		field.icons.replaceChildren(codeIcon(brand().cvc === 4));
		field.input.placeholder = brand().cvc === 4 ? '4 digits' : 'CVC';
	};
	field.paint();
	return field;
}

function countryField(chosen) {
	const names = new Intl.DisplayNames(['en'], {type: 'region'});
	const options = countryCodes.map((code) => ({code, name: names.of(code)}))
		.sort((a, b) => a.name.localeCompare(b.name, 'en'))
		.map(({code, name}) => h('option', {value: code, selected: code === chosen}, name));
	return new Field({name: 'country', label: 'Country', autocomplete: 'billing country', check: () => '', options});
}

function postalField(country) {
	const field = new Field({
		name: 'postalCode', label: 'Postal code', autocomplete: 'billing postal-code',
		check: (text) => checkPostalCode(text, country()),
	});
	field.paint = () => {
		const rule = postalCodes[country()];
		field.node.hidden = !rule;
		field.label.textContent = rule?.label ?? '';
		field.input.placeholder = rule?.placeholder ?? '';
		field.input.inputMode = rule?.mode ?? 'text';
	};
	field.paint();
	return field;
}

const countryCodes = ('AC AD AE AF AG AI AL AM AO AQ AR AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ '
	+ 'CA CD CF CG CH CI CK CL CM CN CO CR CV CW CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FO FR GA GB GD GE GF GG GH GI '
	+ 'GL GM GN GP GQ GR GS GT GU GW GY HK HN HR HT HU ID IE IL IM IN IO IQ IS IT JE JM JO JP KE KG KH KI KM KN KR KW KY KZ LA LB LC '
	+ 'LI LK LR LS LT LU LV LY MA MC MD ME MF MG MK ML MM MN MO MQ MR MS MT MU MV MW MX MY MZ NA NC NE NG NI NL NO NP NR NU NZ OM PA '
	+ 'PE PF PG PH PK PL PM PN PR PS PT PY QA RE RO RS RU RW SA SB SC SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SZ TA TC TD TF TG '
	+ 'TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG US UY UZ VA VC VE VG VN VU WF WS XK YE YT ZA ZM ZW').split(' ');
