// What Stripe's own client for Node does with the fake that FAKE_STRIPE names.
// STRIPE is the version of the client: stripe-16 or stripe-newest. It is as npm
// delivers it; only host, port and protocol are set.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import test from 'node:test';

const { default: Stripe } = await import(process.env.STRIPE);
const at = new URL(process.env.FAKE_STRIPE);
const connect = (key, options) =>
  new Stripe(key, { host: at.hostname, port: at.port, protocol: 'http', telemetry: false, ...options });
const stripe = connect('sk_test_demo');

const control = async (path, document) => {
  const response = await fetch(new URL(`/_stripetest/${path}`, at), {
    method: document ? 'POST' : 'GET',
    body: document && JSON.stringify(document),
  });
  assert.equal(response.status, 200, await response.clone().text());
  return response.json();
};

const forCards = (more) => ({ payment_method_types: ['card'], ...more });

test('create, retrieve, update', async () => {
  const customer = await stripe.customers.create({ email: 'a@example.com', metadata: { a: 'b' } });
  const made = await stripe.setupIntents.create(
    forCards({ customer: customer.id, description: 'ä & = +', metadata: { row: '42', 'with space': 'é' } }),
  );
  assert.match(made.id, /^seti_/);
  assert.match(made.client_secret, new RegExp(`^${made.id}_secret_`));
  assert.equal(made.status, 'requires_payment_method');
  assert.equal(made.usage, 'off_session');
  assert.equal(made.description, 'ä & = +');
  assert.deepEqual({ ...made.metadata }, { row: '42', 'with space': 'é' });
  assert.match(made.lastResponse.requestId, /^req_/);
  assert.equal(made.lastResponse.apiVersion, stripe.getApiField('version'));
  assert.deepEqual({ ...(await stripe.setupIntents.retrieve(made.id)) }, { ...made });

  // An empty value unsets its key, and a key not named stays.
  let changed = await stripe.setupIntents.update(made.id, { description: 'd', metadata: { row: '', more: '1' } });
  assert.deepEqual({ ...changed.metadata }, { 'with space': 'é', more: '1' });
  changed = await stripe.setupIntents.update(made.id, { metadata: '' });
  assert.deepEqual({ ...changed.metadata }, {});
  assert.equal(changed.description, 'd');
});

test('automatic payment methods are the default', async () => {
  const made = await stripe.setupIntents.create({});
  assert.equal(made.automatic_payment_methods.enabled, true);
  const never = await stripe.setupIntents.create({
    automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    confirm: true,
    payment_method: 'pm_card_visa',
  });
  assert.equal(never.status, 'succeeded');
});

test('confirm, decline, confirm again', async () => {
  const customer = await stripe.customers.create();
  const { id } = await stripe.setupIntents.create(forCards({ customer: customer.id }));
  await assert.rejects(
    stripe.setupIntents.confirm(id, { payment_method: 'pm_card_chargeDeclinedInsufficientFunds' }),
    (err) => {
      assert.ok(err instanceof Stripe.errors.StripeCardError);
      assert.equal(err.statusCode, 402);
      assert.equal(err.code, 'card_declined');
      assert.equal(err.decline_code, 'insufficient_funds');
      assert.equal(err.message, 'Your card has insufficient funds.');
      assert.equal(err.setup_intent.id, id);
      assert.equal(err.setup_intent.status, 'requires_payment_method');
      assert.equal(err.payment_method.card.last4, '9995');
      return true;
    },
  );
  assert.equal((await stripe.setupIntents.retrieve(id)).last_setup_error.decline_code, 'insufficient_funds');

  const done = await stripe.setupIntents.confirm(id, { payment_method: 'pm_card_visa' });
  assert.equal(done.status, 'succeeded');
  assert.equal(done.last_setup_error, null);
  const methods = await stripe.paymentMethods.list({ customer: customer.id, type: 'card' });
  assert.deepEqual(methods.data.map((pm) => pm.id), [done.payment_method]);
  const attempts = await stripe.setupAttempts.list({ setup_intent: id });
  assert.deepEqual(attempts.data.map((a) => a.status), ['succeeded', 'failed']);
  await assert.rejects(stripe.setupIntents.confirm(id), { code: 'setup_intent_unexpected_state', statusCode: 400 });
});

test('3D Secure', async () => {
  const { id } = await stripe.setupIntents.create(forCards());
  const waits = await stripe.setupIntents.confirm(id, {
    payment_method: 'pm_card_authenticationRequired',
    return_url: 'https://app.test/back',
  });
  assert.equal(waits.status, 'requires_action');
  assert.equal(waits.next_action.type, 'redirect_to_url');
  const bank = await fetch(waits.next_action.redirect_to_url.url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
    body: 'outcome=complete',
    redirect: 'manual',
  });
  const back = new URL(bank.headers.get('Location'));
  assert.equal(back.origin + back.pathname, 'https://app.test/back');
  assert.equal(back.searchParams.get('redirect_status'), 'succeeded');
  assert.equal((await stripe.setupIntents.retrieve(id)).status, 'succeeded');
});

test('cancel', async () => {
  const { id } = await stripe.setupIntents.create(forCards());
  const canceled = await stripe.setupIntents.cancel(id, { cancellation_reason: 'abandoned' });
  assert.equal(canceled.status, 'canceled');
  assert.equal(canceled.cancellation_reason, 'abandoned');
  await assert.rejects(stripe.setupIntents.cancel(id), {
    type: 'StripeInvalidRequestError',
    code: 'setup_intent_unexpected_state',
    message: 'You cannot cancel this SetupIntent because it is already canceled.',
  });
});

test('paging both ways', async () => {
  const customer = (await stripe.customers.create()).id;
  const made = [];
  for (let i = 0; i < 25; i++) made.unshift((await stripe.setupIntents.create(forCards({ customer }))).id);
  const ids = (page) => page.data.map((si) => si.id);

  const first = await stripe.setupIntents.list({ customer, limit: 10 });
  assert.deepEqual(ids(first), made.slice(0, 10));
  assert.equal(first.has_more, true);
  const second = await stripe.setupIntents.list({ customer, limit: 10, starting_after: made[9] });
  assert.deepEqual(ids(second), made.slice(10, 20));
  const before = await stripe.setupIntents.list({ customer, limit: 5, ending_before: made[10] });
  assert.deepEqual(ids(before), made.slice(5, 10));

  const forwards = await stripe.setupIntents.list({ customer, limit: 7 }).autoPagingToArray({ limit: 1000 });
  assert.deepEqual(forwards.map((si) => si.id), made);
  const backwards = [];
  for await (const si of stripe.setupIntents.list({ customer, limit: 7, ending_before: made[24] })) backwards.push(si.id);
  assert.deepEqual(backwards, made.slice(0, 24).reverse());
  const since = await stripe.setupIntents.list({ customer, created: { gte: Math.floor(Date.now() / 1000) + 1000 } });
  assert.deepEqual(since.data, []);
});

test('replay and mismatch', async () => {
  const key = { idempotencyKey: `key-${process.env.STRIPE}` };
  const made = await stripe.setupIntents.create(forCards({ metadata: { n: '1' } }), key);
  assert.equal(made.lastResponse.headers['idempotent-replayed'], undefined);
  const again = await stripe.setupIntents.create(forCards({ metadata: { n: '1' } }), key);
  assert.equal(again.id, made.id);
  assert.equal(again.lastResponse.headers['idempotent-replayed'], 'true');
  assert.equal(again.lastResponse.idempotencyKey, key.idempotencyKey);
  await assert.rejects(stripe.setupIntents.create(forCards({ metadata: { n: '2' } }), key), (err) => {
    assert.ok(err instanceof Stripe.errors.StripeIdempotencyError);
    assert.equal(err.statusCode, 400);
    assert.match(err.message, /same parameters/);
    return true;
  });
  await assert.rejects(stripe.customers.create({}, key), /same endpoint/);
});

test('expand', async () => {
  const customer = await stripe.customers.create({ name: 'A' });
  const made = await stripe.setupIntents.create(
    forCards({
      customer: customer.id,
      confirm: true,
      payment_method: 'pm_card_mastercard',
      expand: ['customer', 'payment_method', 'latest_attempt.payment_method'],
    }),
  );
  assert.equal(made.customer.name, 'A');
  assert.equal(made.payment_method.card.brand, 'mastercard');
  assert.equal(made.latest_attempt.payment_method.id, made.payment_method.id);
  const list = await stripe.setupIntents.list({ customer: customer.id, expand: ['data.payment_method'] });
  assert.equal(list.data[0].payment_method.card.last4, '4444');
  await assert.rejects(stripe.setupIntents.retrieve(made.id, { expand: ['nothing'] }), /cannot be expanded/);
});

test('errors', async () => {
  const kinds = Stripe.errors;
  await assert.rejects(connect('sk_test_wrong').setupIntents.list(), (err) => err instanceof kinds.StripeAuthenticationError);
  await assert.rejects(stripe.setupIntents.retrieve('seti_none'), {
    type: 'StripeInvalidRequestError', statusCode: 404, code: 'resource_missing', param: 'intent', message: "No such setupintent: 'seti_none'",
  });
  await assert.rejects(stripe.setupIntents.create({ surprise: 1 }), { code: 'parameter_unknown', param: 'surprise' });

  // The client's own retries, of which the first fails without an effect.
  const before = (await control('calls')).counts['POST /v1/customers'] ?? 0;
  await control('faults', { kind: 'close', method: 'POST', path: '/v1/customers', count: 1 });
  assert.match((await connect('sk_test_demo', { maxNetworkRetries: 1 }).customers.create()).id, /^cus_/);
  assert.equal((await control('calls')).counts['POST /v1/customers'] - before, 2);
  await control('faults', { kind: 'error', status: 429, method: 'POST', path: '/v1/customers', count: 1 });
  await assert.rejects(
    connect('sk_test_demo', { maxNetworkRetries: 0 }).customers.create(),
    (err) => err instanceof kinds.StripeRateLimitError,
  );
});

test('what a page does', async () => {
  const made = await stripe.setupIntents.create(forCards({ metadata: { hidden: 'yes' } }));
  const page = connect('pk_test_demo');
  const seen = await page.setupIntents.retrieve(made.id, { client_secret: made.client_secret });
  assert.equal(Object.keys(seen).length, 13);
  const done = await page.setupIntents.confirm(made.id, { client_secret: made.client_secret, payment_method: 'pm_card_visa' });
  assert.equal(done.status, 'succeeded');
  await assert.rejects(page.setupIntents.cancel(made.id), { code: 'secret_key_required' });
});

test('ephemeral keys and customer sessions', async () => {
  const customer = (await stripe.customers.create()).id;
  const key = await stripe.ephemeralKeys.create({ customer }, { apiVersion: '2024-06-20' });
  assert.match(key.secret, /^ek_test_/);
  assert.equal((await connect(key.secret).customers.retrieve(customer)).id, customer);
  const session = await stripe.customerSessions.create({ customer, components: { payment_element: { enabled: true } } });
  assert.equal(session.components.payment_element.enabled, true);
});

test('events, listed and delivered', async () => {
  const delivered = [];
  const endpoint = http.createServer(async (request, response) => {
    const body = [];
    for await (const chunk of request) body.push(chunk);
    delivered.push({ body: Buffer.concat(body), signature: request.headers['stripe-signature'] });
    response.end();
  });
  endpoint.listen(0, '127.0.0.1');
  await once(endpoint, 'listening');
  try {
    const { id, secret } = await stripe.webhookEndpoints.create({
      url: `http://127.0.0.1:${endpoint.address().port}/webhooks`,
      enabled_events: ['setup_intent.created', 'setup_intent.succeeded'],
    });
    const made = await stripe.setupIntents.create(forCards({ confirm: true, payment_method: 'pm_card_visa' }));
    await control('webhooks/wait', {});

    const events = delivered.map(({ body, signature }) => stripe.webhooks.constructEvent(body, signature, secret));
    assert.deepEqual(events.map((e) => e.type), ['setup_intent.created', 'setup_intent.succeeded']);
    assert.equal(events[1].data.object.id, made.id);
    assert.equal(events[1].request.id, made.lastResponse.requestId);
    const [{ body, signature }] = delivered;
    assert.ok(await stripe.webhooks.constructEventAsync(body.toString(), signature, secret));
    for (const spoilt of [[`${body} `, signature, secret], [body, signature, 'whsec_other'], [body, '', secret]]) {
      assert.throws(() => stripe.webhooks.constructEvent(...spoilt), Stripe.errors.StripeSignatureVerificationError);
    }

    const listed = await stripe.events.list({ types: ['setup_intent.created', 'setup_intent.succeeded'], limit: 2, delivery_success: true });
    assert.deepEqual(listed.data.map((e) => e.id), events.map((e) => e.id).reverse());
    assert.equal((await stripe.events.retrieve(events[0].id)).data.object.id, made.id);
    assert.equal((await stripe.webhookEndpoints.del(id)).deleted, true);
  } finally {
    endpoint.close();
  }
});
