// What can be told of a card without asking anybody. A check returns the code
// of what is wrong, or ''.

const brands = [
	{name: 'visa', title: 'Visa', pattern: /^4/},
	{name: 'mastercard', title: 'Mastercard', pattern: /^(5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720)/},
	{name: 'amex', title: 'American Express', pattern: /^3[47]/, lengths: [15], groups: [4, 6, 5], cvc: 4},
	{name: 'discover', title: 'Discover', pattern: /^(6011|64[4-9]|65)/},
	{name: 'diners', title: 'Diners Club', pattern: /^36/, lengths: [14], groups: [4, 6, 4]},
	{name: 'diners', title: 'Diners Club', pattern: /^3(0|8|9)/},
	{name: 'jcb', title: 'JCB', pattern: /^35(2[89]|[3-8])/},
	{name: 'unionpay', title: 'UnionPay', pattern: /^(62|81)/, lengths: [16, 17, 18, 19]},
	{name: 'unknown', title: 'Card', pattern: /^/},
].map((brand) => ({lengths: [16], groups: [4, 4, 4, 4, 3], cvc: 3, ...brand}));

const brandOf = (digits) => brands.find((brand) => brand.pattern.test(digits));

const digitsOf = (text) => text.replace(/\D/g, '');

function formatNumber(text) {
	let digits = digitsOf(text);
	const {lengths, groups} = brandOf(digits);
	digits = digits.slice(0, Math.max(...lengths));
	const parts = [];
	for (const size of groups) {
		if (digits) parts.push(digits.slice(0, size));
		digits = digits.slice(size);
	}
	return parts.join(' ');
}

/** The Luhn formula. */
function checksum(digits) {
	const sum = [...digits].reverse().reduce((total, digit, i) => {
		const n = Number(digit) * (i % 2 ? 2 : 1);
		return total + (n > 9 ? n - 9 : n);
	}, 0);
	return sum % 10 === 0;
}

function checkNumber(text) {
	const digits = digitsOf(text);
	if (!brandOf(digits).lengths.includes(digits.length)) return 'incomplete_number';
	return checksum(digits) ? '' : 'invalid_number';
}

/** Makes MM / YY of what is typed, pasted or filled in: 1230, 12/2030, 1-30. */
function formatExpiry(text, deleting = false) {
	const whole = /^\s*(\d{1,2})\s*[/.\- ]+\s*(\d{2}|\d{4})\s*$/.exec(text);
	let digits = digitsOf(text);
	if (whole) digits = whole[1].padStart(2, '0') + whole[2].slice(-2);
	else if (/^[2-9]/.test(digits) || /^\d\s*\//.test(text) || Number(digits.slice(0, 2)) > 12) digits = `0${digits}`;
	if (digits.length === 6) digits = digits.slice(0, 2) + digits.slice(4);
	const [month, year] = [digits.slice(0, 2), digits.slice(2, 4)];
	return year || month.length === 2 && !deleting ? `${month} / ${year}` : month;
}

function parseExpiry(text) {
	const digits = digitsOf(text);
	return {month: Number(digits.slice(0, 2)), year: 2000 + Number(digits.slice(2, 4)), whole: digits.length === 4};
}

function checkExpiry(text, now = new Date()) {
	const {month, year, whole} = parseExpiry(text);
	if (!whole || month < 1 || month > 12) return 'incomplete_expiry';
	if (year < now.getFullYear()) return 'invalid_expiry_year_past';
	if (year > now.getFullYear() + 50) return 'invalid_expiry_year';
	return year === now.getFullYear() && month <= now.getMonth() ? 'invalid_expiry_month_past' : '';
}

const checkCVC = (text, brand) => (digitsOf(text).length === brand.cvc ? '' : 'incomplete_cvc');

// Where the postal code is asked for, as Stripe does for cards [2nd], how it
// is called and what it looks like.
const postalCodes = {
	US: {label: 'ZIP code', placeholder: '12345', pattern: /^\d{5}(-?\d{4})?$/, mode: 'numeric'},
	CA: {label: 'Postal code', placeholder: 'M5T 1T4', pattern: /^[a-z]\d[a-z]\s?\d[a-z]\d$/i},
	GB: {label: 'Postal code', placeholder: 'WS11 1DB', pattern: /^[a-z]{1,2}\d[a-z\d]?\s?\d[a-z]{2}$/i},
};

function checkPostalCode(text, country) {
	const rule = postalCodes[country];
	return !rule || rule.pattern.test(text.trim()) ? '' : 'incomplete_zip';
}
