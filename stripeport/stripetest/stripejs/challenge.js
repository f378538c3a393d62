// 3D Secure: a dialog in the page, where a bank's would be.

/** Asks the customer, and ends the challenge at path. It never fails: what came of it is the intent's to tell. */
function challenge(api, path) {
	const {host, root} = shadowHost('__StripeStandInChallenge', challengeSheet);
	const complete = h('button', {type: 'button', class: 'primary', autofocus: true, name: 'complete'}, 'Complete authentication');
	const fail = h('button', {type: 'button', name: 'fail'}, 'Fail authentication');
	const problem = h('p', {class: 'problem', role: 'alert'});
	const dialog = h('dialog', {'aria-labelledby': 'title', 'aria-describedby': 'text'},
		h('p', {class: 'bank', 'aria-hidden': 'true'}, h('span', {}, '3D'), 'Secure', h('small', {}, 'Test bank')),
		h('h2', {id: 'title'}, 'Confirm that it’s you'),
		h('p', {id: 'text'}, 'Your bank asks you to authenticate this card. This is a test page in its place: choose how it ends.'),
		problem,
		h('div', {class: 'buttons'}, complete, fail),
		h('p', {class: 'hint'}, 'Esc fails the authentication.'),
	);
	root.append(dialog);
	document.body.append(host);

	return new Promise((resolve) => {
		const end = async (outcome) => {
			if (complete.disabled) return;
			complete.disabled = fail.disabled = true;
			problem.textContent = '';
			const {error, status} = await api.authenticate(path, outcome);
			if (error && status !== 404 && status !== 409) { // neither gone nor over: it can be tried again
				complete.disabled = fail.disabled = false;
				problem.textContent = error.message;
				complete.focus();
				if (!dialog.open) dialog.showModal();
				return;
			}
			dialog.close();
			host.remove();
			resolve();
		};
		complete.addEventListener('click', () => end('complete'));
		fail.addEventListener('click', () => end('fail'));
		dialog.addEventListener('cancel', (event) => {
			event.preventDefault();
			end('fail');
		});
		dialog.addEventListener('close', () => end('fail')); // a second Esc closes it whatever a page says
		dialog.addEventListener('keydown', (event) => { // from the last to the first, and not to the browser's own buttons
			if (event.key !== 'Tab') return;
			event.preventDefault();
			(root.activeElement === complete ? fail : complete).focus();
		});
		dialog.showModal();
	});
}

// It is dark where the page is: light-dark() goes by the page's color-scheme.
const challengeSheet = sheetOf(`
	* { box-sizing: border-box; }
	dialog {
		width: min(26rem, calc(100vw - 2rem)); padding: 1.5rem; border: 0; border-radius: 14px; background: light-dark(#fff, #181c28); color: light-dark(#1a1f36, #eceef4);
		font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; box-shadow: 0 20px 60px rgb(10 20 50 / .35);
	}
	dialog::backdrop { background: rgb(20 27 45 / .6); backdrop-filter: blur(2px); }
	.bank { display: flex; align-items: center; gap: .4rem; margin: 0 0 1.25rem; padding-bottom: 1rem; border-bottom: 1px solid light-dark(#e6e8ee, #353c50); font-weight: 700; }
	.bank span { padding: .1rem .4rem; border-radius: 5px; background: light-dark(#1a1f36, #eceef4); color: light-dark(#fff, #181c28); }
	.bank small { margin-left: auto; padding: .1rem .6rem; border-radius: 1rem; background: light-dark(#fff3d6, #3a2c0a); color: light-dark(#7a4b00, #ffd98a); font-size: .8rem; font-weight: 600; }
	h2 { margin: 0 0 .5rem; font-size: 1.25rem; line-height: 1.3; }
	p { margin: 0; color: light-dark(#4a5168, #a4abbf); }
	.buttons { display: grid; gap: .625rem; margin-top: 1.25rem; }
	button {
		padding: .75rem 1rem; border: 1px solid light-dark(#c9cedb, #4b5268); border-radius: 8px; background: light-dark(#fff, #10141f); color: inherit;
		font: inherit; font-weight: 600; cursor: pointer;
	}
	button.primary { border-color: transparent; background: light-dark(#4338ca, #a5b4fc); color: light-dark(#fff, #12152b); }
	button:hover { filter: brightness(.95); }
	button:disabled { opacity: .55; cursor: default; }
	button:focus-visible { outline: 3px solid #a5b4fc; outline-offset: 2px; }
	.problem { color: light-dark(#b3122f, #ff9dae); }
	.problem:not(:empty) { margin-top: .75rem; }
	.hint { margin-top: .875rem; font-size: .8125rem; text-align: center; }
	@media (hover: none) { .hint { display: none; } } /* no keyboard, no Esc */
	@media (prefers-reduced-motion: no-preference) {
		dialog[open] { animation: rise .18s ease-out; }
		@keyframes rise { from { opacity: 0; transform: translateY(8px); } }
	}
`);
