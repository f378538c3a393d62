// Nodes, made so that the strictest Content-Security-Policy of a page has
// nothing against it: no HTML as text, no style attribute, no <style>.

/** Makes an element of a tag, attributes and children; null and false are left out. */
function h(tag, attributes = {}, ...children) {
	return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
	return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), attributes, children);
}

function fill(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes)) {
		if (value === true) node.setAttribute(name, '');
		else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
	}
	node.append(...children.filter((child) => child !== null && child !== false));
	return node;
}

/** Makes a shadow root with these sheets in it, on a new element. */
function shadowHost(className, ...sheets) {
	const host = h('div', {class: className});
	const root = host.attachShadow({mode: 'open'}); // open: a test may reach in
	root.adoptedStyleSheets = sheets;
	return {host, root};
}

function sheetOf(css) {
	const sheet = new CSSStyleSheet();
	sheet.replaceSync(css);
	return sheet;
}

/** Handlers of named events, as elements have them. */
class Emitter {
	#handlers = new Map();

	on(event, handler) {
		this.#handlers.set(event, [...(this.#handlers.get(event) ?? []), handler]);
		return this;
	}

	once(event, handler) {
		const first = (payload) => {
			this.off(event, first);
			handler(payload);
		};
		first.handler = handler;
		return this.on(event, first);
	}

	off(event, handler) {
		const left = (this.#handlers.get(event) ?? []).filter((h) => handler && h !== handler && h.handler !== handler);
		this.#handlers.set(event, left);
		return this;
	}

	emit(event, payload) {
		for (const handler of this.#handlers.get(event) ?? []) handler(payload);
	}
}
