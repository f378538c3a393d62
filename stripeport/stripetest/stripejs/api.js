// Calls of the API with the publishable key.

class API {
	constructor(base, key, {apiVersion, stripeAccount} = {}) {
		this.base = base;
		this.headers = {Authorization: `Bearer ${key}`};
		if (apiVersion) this.headers['Stripe-Version'] = apiVersion;
		if (stripeAccount) this.headers['Stripe-Account'] = stripeAccount;
	}

	post(path, params) {
		return this.#send(`/v1/${path}`, {
			method: 'POST',
			headers: {...this.headers, 'Content-Type': 'application/x-www-form-urlencoded'},
			body: formOf(params),
		});
	}

	retrieve(clientSecret) {
		const [id] = clientSecret.split('_secret_');
		return this.#send(`/v1/setup_intents/${id}?${formOf({client_secret: clientSecret})}`, {headers: this.headers});
	}

	/** Ends a challenge: outcome is complete or fail. */
	authenticate(path, outcome) {
		return this.#send(path, {
			method: 'POST',
			headers: {Accept: 'application/json', 'Content-Type': 'application/x-www-form-urlencoded'},
			body: formOf({outcome}),
		});
	}

	/** @returns {Promise<{object: Object} | {error: Object, status?: number}>} */
	async #send(path, init) {
		let response;
		try {
			response = await fetch(this.base + path, {...init, credentials: 'omit', referrerPolicy: 'no-referrer', cache: 'no-store'});
		} catch {
			return {error: {type: 'api_connection_error', message: messages.offline}};
		}
		const body = await response.json().catch(() => null);
		if (response.ok && body) return {object: body};
		return {error: body?.error ?? {type: 'api_error', message: messages.unreadable}, status: response.status};
	}
}

/** Encodes nested params as Stripe does: a[b]=c, a[0]=d. */
function formOf(params) {
	const form = new URLSearchParams();
	const add = (name, value) => {
		if (value === undefined || value === null) return;
		if (typeof value !== 'object') form.append(name, String(value));
		else for (const [key, inner] of Object.entries(value)) add(name ? `${name}[${key}]` : key, inner);
	};
	add('', params);
	return form.toString();
}
