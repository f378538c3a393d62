// Small drawings of cards, to tell the brands apart.

function brandIcon(name) {
	const {title} = brands.find((brand) => brand.name === name);
	const icon = svg('svg', {viewBox: '0 0 32 20', class: 'Icon', role: 'img', 'aria-label': title});
	icon.append(...brandShapes[name]());
	return icon;
}

const plate = (fill, stroke = 'none') => svg('rect', {x: .5, y: .5, width: 31, height: 19, rx: 2.5, fill, stroke});
const word = (text, size, fill, x = 16, y = 13) => {
	const node = svg('text', {
		x, y, fill, 'font-size': size, 'font-weight': 800, 'text-anchor': 'middle',
		'font-family': 'Arial, Helvetica, sans-serif',
	});
	node.textContent = text;
	return node;
};
const bars = (...colors) => colors.map((fill, i) => svg('rect', {x: 6 + 7 * i, y: 4, width: 6, height: 12, rx: 2, fill}));

const brandShapes = {
	visa: () => [plate('#1a1f71'), svg('g', {transform: 'skewX(-12) translate(3 0)'}, word('VISA', 9, '#fff'))],
	mastercard: () => [
		plate('#fff', '#d6d9df'),
		svg('circle', {cx: 12.5, cy: 10, r: 6, fill: '#eb001b'}),
		svg('circle', {cx: 19.5, cy: 10, r: 6, fill: '#f79e1b'}),
		svg('path', {d: 'M16 5.13a6 6 0 0 1 0 9.74 6 6 0 0 1 0-9.74z', fill: '#ff5f00'}),
	],
	amex: () => [plate('#006fcf'), word('AMEX', 8, '#fff')],
	discover: () => [
		plate('#fff', '#d6d9df'),
		svg('path', {d: 'M31.5 10.5V17a2.5 2.5 0 0 1-2.5 2.5H12q13-2.5 19.5-9z', fill: '#f47216'}),
		word('DISCOVER', 5, '#231f20', 16, 9),
	],
	diners: () => [
		plate('#fff', '#d6d9df'),
		svg('circle', {cx: 16, cy: 10, r: 6.5, fill: '#0079be'}),
		svg('path', {d: 'M14.3 5.8a4.5 4.5 0 0 0 0 8.4zM17.7 5.8v8.4a4.5 4.5 0 0 0 0-8.4z', fill: '#fff'}),
	],
	jcb: () => [plate('#fff', '#d6d9df'), ...bars('#0e4c96', '#d81e3f', '#007b40')],
	unionpay: () => [plate('#fff', '#d6d9df'), svg('g', {transform: 'skewX(-12) translate(2.5 0)'}, ...bars('#e21836', '#00447c', '#007b84'))],
	unknown: () => [
		plate('none', 'var(--color-text-placeholder)'),
		svg('path', {d: 'M.5 6.5h31M4 14h8', stroke: 'var(--color-text-placeholder)', 'stroke-width': 1.5}),
	],
};

/** A card's back, or for four digits its front, with the code ringed. */
function codeIcon(onFront) {
	const line = {stroke: 'var(--color-text-placeholder)', fill: 'none'};
	return svg('svg', {viewBox: '0 0 32 20', class: 'Icon', 'aria-hidden': 'true'},
		plate('none', 'var(--color-text-placeholder)'),
		svg('path', {d: onFront ? 'M4 14h10' : 'M.5 6h31', 'stroke-width': onFront ? 1.5 : 3, ...line}),
		svg('rect', {x: 18, y: onFront ? 4 : 10, width: 10, height: 6, rx: 3, 'stroke-width': 1.2, ...line, stroke: 'var(--color-primary)'}),
	);
}
