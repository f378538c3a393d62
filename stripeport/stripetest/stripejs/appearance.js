// The appearance that a page may choose: themes, variables and rules, as the
// Appearance API has them. A variable fontSizeBase is --font-size-base here.

const themes = {
	stripe: {},
	none: {},
	night: {
		colorPrimary: '#85d996', colorBackground: '#30313d', colorText: '#ffffff', colorTextSecondary: '#b3b4c0',
		colorTextPlaceholder: '#a3a4b1', colorDanger: '#fe87a1', colorBorder: '#4b4d5c',
		shadow: '0 1px 2px rgb(0 0 0 / .3)',
	},
	flat: {
		colorBackground: '#f1f2f5', colorBorder: '#f1f2f5', shadow: 'none', colorTextPlaceholder: '#666a73', colorDanger: '#c9173a',
	},
};

const defaults = {
	colorPrimary: '#0570de', colorBackground: '#ffffff', colorText: '#30313d', colorTextSecondary: '#6d6e78',
	colorTextPlaceholder: '#757680', colorDanger: '#df1b41', colorBorder: '#d5d8df',
	borderRadius: '5px', spacingUnit: '4px', fontSizeBase: '16px',
	fontFamily: 'system-ui, -apple-system, "Segoe UI", Roboto, sans-serif',
	shadow: '0 1px 2px rgb(18 42 66 / .06)',
};

const kebab = (name) => name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/** Puts an appearance on a host, and returns the sheet of its rules. */
function dress(host, {theme = 'stripe', variables = {}, rules = {}, disableAnimations = false} = {}) {
	host.removeAttribute('style');
	for (const [name, value] of Object.entries({...defaults, ...themes[theme], ...variables})) {
		if (/^[a-zA-Z]+$/.test(name)) host.style.setProperty(`--${kebab(name)}`, value);
	}
	host.classList.toggle('still', disableAnimations);
	const sheet = new CSSStyleSheet();
	for (const [selector, declarations] of Object.entries(rules)) {
		if (!/^\.[A-Z][\w:.-]*$/.test(selector)) continue; // .Input, .Input--invalid, .Label:hover
		const {style} = sheet.cssRules[sheet.insertRule(`${selector} {}`, sheet.cssRules.length)];
		for (const [name, value] of Object.entries(declarations)) style.setProperty(kebab(name), value);
	}
	return sheet;
}

const elementSheet = sheetOf(`
	:host { display: block; container-type: inline-size; }
	:host, input, select, button { font-family: var(--font-family); font-size: var(--font-size-base); }
	:host { color: var(--color-text); line-height: 1.4; -webkit-font-smoothing: antialiased; }
	*, ::before { box-sizing: border-box; }
	[hidden] { display: none !important; }

	.Form { display: grid; gap: calc(var(--spacing-unit) * 3.5); min-width: 0; margin: 0; padding: 0; border: 0; }
	.Row { display: grid; grid-template-columns: 1fr 1fr; align-items: start; gap: calc(var(--spacing-unit) * 3); }
	.Row:has(> [hidden]) > * { grid-column: 1 / -1; }
	@container (max-width: 13rem) { .Row { grid-template-columns: 1fr; } }

	.Field { min-width: 0; }
	.Label { display: block; margin-bottom: var(--spacing-unit); color: var(--color-text); font-size: .93em; font-weight: 400; }
	.Control { position: relative; }
	.Input {
		display: block; width: 100%; margin: 0; padding: calc(var(--spacing-unit) * 3); border: 1px solid var(--color-border);
		border-radius: var(--border-radius); background: var(--color-background); box-shadow: var(--shadow);
		color: var(--color-text); line-height: 1.25; appearance: none; transition: border-color .15s, box-shadow .15s;
	}
	.Input::placeholder { color: var(--color-text-placeholder); opacity: 1; }
	.Input:focus {
		border-color: var(--color-primary); outline: 2px solid transparent;
		box-shadow: 0 0 0 3px color-mix(in srgb, var(--color-primary) 25%, transparent), var(--shadow);
	}
	.Input--invalid { border-color: var(--color-danger); color: var(--color-danger); box-shadow: 0 0 0 1px var(--color-danger); }
	.Input--invalid:focus { border-color: var(--color-danger); box-shadow: 0 0 0 3px color-mix(in srgb, var(--color-danger) 25%, transparent); }
	.Input:read-only:not(select), .Input:disabled { opacity: .65; }
	.Input--wide-icon { padding-right: 9.5rem; }
	.Input--icon { padding-right: 3.5rem; }
	select.Input {
		padding-right: 2.25rem; text-overflow: ellipsis;
		background-image: linear-gradient(45deg, transparent 50%, var(--color-text-secondary) 50%), linear-gradient(-45deg, transparent 50%, var(--color-text-secondary) 50%);
		background-position: right 1.2rem center, right .9rem center; background-size: .32rem .32rem; background-repeat: no-repeat;
	}
	select.Input option { background: var(--color-background); color: var(--color-text); }

	.Icons { position: absolute; inset: 0 .75rem 0 auto; display: flex; align-items: center; gap: .25rem; pointer-events: none; }
	.Icon { display: block; width: 2rem; height: 1.25rem; }
	@container (max-width: 22rem) {
		.Input--wide-icon { padding-right: 7.5rem; }
		.Icon:nth-child(4) { display: none; }
	}
	@container (max-width: 17rem) {
		.Input--wide-icon { padding-right: 0; }
		.Input--wide-icon + .Icons { display: none; }
	}

	.Error { margin: var(--spacing-unit) 0 0; color: var(--color-danger); font-size: .93em; }
	.Error:empty { display: none; }
	.Terms, .StandIn { margin: 0; color: var(--color-text-secondary); font-size: .8125em; }
	.StandIn { display: flex; align-items: center; gap: .5em; }
	.Badge { padding: .1em .5em; border: 1px solid; border-radius: 1em; font-size: .85em; font-weight: 600; letter-spacing: .04em; white-space: nowrap; }

	.Tab {
		display: flex; align-items: center; gap: .75rem; width: 100%; padding: calc(var(--spacing-unit) * 3); border: 1px solid var(--color-border);
		border-radius: var(--border-radius); background: var(--color-background); color: var(--color-text); cursor: pointer;
	}
	.Tab:focus-visible { border-color: var(--color-primary); outline: 3px solid color-mix(in srgb, var(--color-primary) 25%, transparent); }

	.Loader { display: grid; gap: calc(var(--spacing-unit) * 3.5); }
	.Loader div { height: 3.75rem; border-radius: var(--border-radius); background: var(--color-border); opacity: .45; animation: breathe 1.2s ease-in-out infinite alternate; }
	.Loader .Row { height: auto; background: none; opacity: 1; animation: none; }
	@keyframes breathe { to { opacity: .2; } }

	:host(.still) * { animation: none !important; transition: none !important; }
	@media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
`);
