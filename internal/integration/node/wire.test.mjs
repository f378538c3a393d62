// Create, retrieve, update: one program for the fake and for the Stripe dialect
// of httpadapter, which are told apart by nothing but an address and a key. The
// client is as npm delivers it, and STRIPE its version; only host, port and
// protocol are set.
import assert from 'node:assert/strict';
import test from 'node:test';

const { default: Stripe } = await import(process.env.STRIPE);
const at = new URL(process.env.STRIPE_URL);
const connect = (key) => new Stripe(key, { host: at.hostname, port: at.port, protocol: at.protocol.slice(0, -1) });
const stripe = connect(process.env.STRIPE_KEY);

const has = (object, members) => {
  for (const [name, value] of Object.entries(members)) assert.deepEqual(object[name], value, name);
};
const fails = (call, want) =>
  assert.rejects(call, (err) => {
    has(err, want);
    assert.match(err.requestId, /^req_/);
    return true;
  });

test('create, retrieve, update', async () => {
  const wish = { payment_method_types: ['card'], description: 'ä & = +', metadata: { order: '1', 'with space': 'é' } };
  const made = await stripe.setupIntents.create(wish, { idempotencyKey: `wire-${process.env.STRIPE}` });
  assert.match(made.id, /^seti_/);
  assert.match(made.client_secret, new RegExp(`^${made.id}_secret_`));
  has(made, { object: 'setup_intent', status: 'requires_payment_method', usage: 'off_session', livemode: false });
  has(made, { description: wish.description, payment_method: null, customer: null });
  assert.deepEqual(made.payment_method_types, ['card']);
  has(made.metadata, wish.metadata);
  assert.match(made.lastResponse.requestId, /^req_/);
  assert.equal(made.lastResponse.apiVersion, stripe.getApiField('version'));
  assert.equal(made.lastResponse.idempotencyKey, `wire-${process.env.STRIPE}`);

  assert.deepEqual({ ...(await stripe.setupIntents.retrieve(made.id)) }, { ...made });

  // An empty value unsets its key, and a key not named stays.
  let changed = await stripe.setupIntents.update(made.id, { description: 'd', metadata: { order: '', more: '2' } });
  assert.equal(changed.id, made.id);
  assert.equal(changed.client_secret, made.client_secret);
  assert.equal(changed.description, 'd');
  has(changed.metadata, { 'with space': 'é', more: '2' });
  assert.equal(changed.metadata.order, undefined);
  changed = await stripe.setupIntents.update(made.id, { metadata: '' });
  for (const key of ['with space', 'more']) assert.equal(changed.metadata[key], undefined);
  changed = await stripe.setupIntents.update(made.id, { payment_method: 'pm_card_visa' });
  assert.equal(changed.status, 'requires_confirmation');
  assert.deepEqual({ ...(await stripe.setupIntents.retrieve(made.id)) }, { ...changed });

  await fails(stripe.setupIntents.update(made.id, { surprise: 1 }), {
    type: 'StripeInvalidRequestError', statusCode: 400, code: 'parameter_unknown', param: 'surprise', message: 'Received unknown parameter: surprise',
  });
});

test('errors', async () => {
  const missing = {
    type: 'StripeInvalidRequestError', statusCode: 404, code: 'resource_missing', param: 'intent', message: "No such setupintent: 'seti_none'",
  };
  await fails(stripe.setupIntents.retrieve('seti_none'), missing);
  await fails(stripe.setupIntents.update('seti_none', { description: 'd' }), missing);
  await fails(stripe.setupIntents.create({ surprise: 1 }), { type: 'StripeInvalidRequestError', code: 'parameter_unknown', param: 'surprise' });
  await fails(stripe.setupIntents.create({ usage: 'never' }), { type: 'StripeInvalidRequestError', param: 'usage' });
  await fails(connect('sk_test_51WrongWrong').setupIntents.retrieve('seti_none'), {
    type: 'StripeAuthenticationError', statusCode: 401, rawType: 'invalid_request_error',
  });
});
