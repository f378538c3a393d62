// What everybody writes first: an effect that asks for an intent. StrictMode
// runs it twice, so it asks twice, and nothing here does anything about that.

import {Elements, PaymentElement, useElements, useStripe} from '@stripe/react-stripe-js';
import {loadStripe} from '@stripe/stripe-js';
import {StrictMode, useEffect, useState} from 'react';
import {createRoot} from 'react-dom/client';

const {publishableKey, pendingId} = document.body.dataset;
const stripe = loadStripe(publishableKey);

function Page() {
	const [clientSecret, setClientSecret] = useState('');
	useEffect(() => {
		fetch(`/v2/signup/pending/${pendingId}/setup-intent`, {method: 'POST'})
			.then((response) => response.json())
			.then((intent) => setClientSecret(intent.clientSecret));
	}, []);
	if (!clientSecret) return <p>Loading…</p>;
	return (
		<Elements stripe={stripe} options={{clientSecret, appearance: {theme: 'flat', variables: {colorPrimary: '#0a7d55'}}}}>
			<Form />
		</Elements>
	);
}

function Form() {
	const stripe = useStripe();
	const elements = useElements();
	const [complete, setComplete] = useState(false);
	const [busy, setBusy] = useState(false);
	const [message, setMessage] = useState('');

	async function submit(event) {
		event.preventDefault();
		setBusy(true);
		const {error, setupIntent} = await stripe.confirmSetup({
			elements, confirmParams: {return_url: location.href}, redirect: 'if_required',
		});
		setBusy(false);
		setMessage(error ? error.message : `${setupIntent.id} ${setupIntent.status}`);
	}

	return (
		<form onSubmit={submit}>
			<PaymentElement onChange={(event) => setComplete(event.complete)} />
			<button id="save" disabled={!stripe || busy || !complete}>Save card</button>
			<p id="message" role="status">{message}</p>
		</form>
	);
}

createRoot(document.getElementById('root')).render(<StrictMode><h1>React, StrictMode</h1><Page /></StrictMode>);
