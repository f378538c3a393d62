const stripe = Stripe('pk_test_demo');
const elements = stripe.elements({mode: 'setup', currency: 'usd', paymentMethodTypes: ['card']});
elements.create('payment').mount('#payment');

const form = document.querySelector('form');
form.addEventListener('submit', async (event) => {
	event.preventDefault();
	form.save.disabled = true;
	form.said.value = await save().catch(() => 'Something went wrong. Please try again.');
	form.save.disabled = false;
});

async function save() {
	const checked = await elements.submit(); // what the page can tell itself
	if (checked.error) return checked.error.message;
	const {clientSecret} = await post('setup-intent'); // from here on there is an intent
	const {error, setupIntent} = await stripe.confirmSetup({
		elements, clientSecret, redirect: 'if_required', confirmParams: {return_url: location.href},
	});
	if (error) return error.message;
	await post('activate', {setupIntentId: setupIntent.id});
	return 'Saved.';
}

async function post(verb, body) {
	const response = await fetch(`/signup/${form.dataset.row}/${verb}`, {
		method: 'POST',
		headers: body ? {'Content-Type': 'application/json'} : {},
		body: body && JSON.stringify(body),
	});
	if (!response.ok) throw new Error(`${verb}: ${response.status}`);
	return response.json();
}
