// What a front end does with each wire, typed by nothing but its document:
// node dist/client.js ORIGIN TOKEN. The server in .. has the handlers, a fake
// provider, and POST /confirm/{id}, which does what the provider's script would.
import assert from 'node:assert/strict';
import { deepEqual, equal } from 'node:assert/strict';
import createClient from 'openapi-fetch';

import type * as Default from './generated/default.js';
import type * as LoyaltyDog from './generated/loyaltydog.js';
import type * as OrbitKit from './generated/orbitkit.js';
import type * as Spree from './generated/spree.js';
import type * as Stripe from './generated/stripe.js';

const [origin, token, pending, other] = process.argv.slice(2) as [string, string, string, string];

const confirm = async (intent: string) => {
  const response = await fetch(`${origin}/confirm/${intent}`, { method: 'POST' });
  equal(response.status, 200);
};

// What a page says to each code. There is no default: a code that the document
// gains does not compile until a page knows what to say to it.
type Answers = Default.paths['/{id}/setup-intent']['post']['responses'];
type Problem = Answers[Exclude<keyof Answers, 200>]['content']['application/problem+json'];

const advice = (code: Problem['code']): string => {
  switch (code) {
    case 'already_active':
      return 'Your card is saved.';
    case 'processing':
      return 'Your bank is at it. We will write to you.';
    case 'in_progress':
    case 'unavailable':
    case 'rate_limited':
    case 'body_timeout':
      return 'Try again shortly.';
    case 'abandoned':
    case 'cancelled':
    case 'closing':
    case 'not_found':
    case 'not_pending':
    case 'too_many_attempts':
      return 'Start again.';
    case 'unauthenticated':
    case 'forbidden':
      return 'Sign in.';
    case 'body_too_large':
    case 'internal':
    case 'invalid_request':
    case 'method_not_allowed':
    case 'mismatch':
    case 'provider_refused':
    case 'unsupported':
    case 'unsupported_media_type':
      return 'Something is wrong on our side.';
  }
};

const ours = async () => {
  const client = createClient<Default.paths>({ baseUrl: `${origin}/signup` });
  const params = { path: { id: pending } };
  const { data: intent } = await client.POST('/{id}/setup-intent', { params });
  assert(intent);
  equal(intent.status satisfies 'requires_payment_method' | 'requires_confirmation' | 'requires_action', 'requires_payment_method');
  assert(intent.clientSecret.startsWith(`${intent.setupIntentId}_secret_`));

  const early = await client.POST('/{id}/activate', { params, body: { setupIntentId: intent.setupIntentId } });
  equal(early.response.status, 409);
  equal(early.error?.code, 'not_succeeded');

  await confirm(intent.setupIntentId);
  const { data: account } = await client.POST('/{id}/activate', { params, body: { setupIntentId: intent.setupIntentId } });
  assert(account);
  deepEqual(account, { status: 'active', userId: pending });

  // @ts-expect-error it needs the intent
  const nothing = await client.POST('/{id}/activate', { params, body: {} });
  equal(nothing.error?.code, 'invalid_request');

  const { error } = await client.POST('/{id}/setup-intent', { params });
  assert(error);
  equal(advice(error.code), 'Your card is saved.');
};

const loyaltyDog = async () => {
  const client = createClient<LoyaltyDog.paths>({ baseUrl: origin });
  const params = { path: { pending_id: other } };
  const { data: intent } = await client.POST('/v2/signup/pending/{pending_id}/setup-intent', { params });
  assert(intent);
  await confirm(intent.setupIntentId);
  const { data: user } = await client.POST('/v2/signup/pending/{pending_id}/activate', { params, body: { setupIntentId: intent.setupIntentId } });
  equal(user?.userId, other);
  equal(user?.email ?? 'none', 'none');

  const { error, response } = await client.POST('/v2/signup/pending/{pending_id}/setup-intent', { params: { path: { pending_id: 'x' } } });
  equal(response.status, 422);
  assert(error && 'detail' in error && typeof error.detail === 'object');
  deepEqual(error.detail[0]?.loc, ['path', 'pending_id']);
};

const bearer = { Authorization: `Bearer ${token}` };

const spree = async () => {
  const client = createClient<Spree.paths>({ baseUrl: origin, headers: bearer });
  const { data: sheet } = await client.POST('/api/v2/storefront/stripe/setup_intents', { params: { header: { 'Stripe-Version': '2024-06-20' } } });
  assert(sheet);
  // @ts-expect-error it has no such member
  equal(sheet.clientSecret, undefined);
  assert(sheet.customer_id && sheet.ephemeral_key_secret && sheet.setup_intent_client_secret);
  const { error } = await client.POST('/api/v2/storefront/stripe/setup_intents', { headers: { Authorization: null } });
  equal(error?.error, 'You are not authorized to access this page.');
};

const orbitKit = async () => {
  const client = createClient<OrbitKit.paths>({ baseUrl: origin, headers: bearer });
  const { data: intent, response } = await client.POST('/api/setup-intent', { params: { header: { 'Idempotency-Key': '"8e03978e"' } } });
  assert(intent?.clientSecret);
  equal(response.status, 201);
  assert(response.headers.get('X-Request-Id'));
  const { error } = await client.POST('/api/setup-intent', { headers: { Authorization: 'Bearer nobody' } });
  const code: OrbitKit.components['schemas']['ErrorCode'] | undefined = error?.error.code;
  equal(code, 'UNAUTHORIZED');
};

// form writes a body as Stripe's own clients do.
const form = (body: object): string => {
  const pairs = (name: string, value: unknown): [string, string][] =>
    value !== null && typeof value === 'object'
      ? Object.entries(value).flatMap(([key, inner]) => pairs(name ? `${name}[${key}]` : key, inner))
      : [[name, String(value)]];
  return new URLSearchParams(pairs('', body)).toString();
};

const stripe = async () => {
  const client = createClient<Stripe.paths>({
    baseUrl: origin,
    headers: { ...bearer, 'Content-Type': 'application/x-www-form-urlencoded' },
    bodySerializer: (body) => form(body as unknown as object),
  });
  const { data: made } = await client.POST('/v1/setup_intents', { body: { payment_method_types: ['card'], metadata: { order_id: '1' } } });
  assert(made);
  equal(made.object satisfies 'setup_intent', 'setup_intent');
  const params = { path: { intent: made.id } };
  const { data: changed } = await client.POST('/v1/setup_intents/{intent}', { params, body: { metadata: { order_id: '6735' } } });
  equal(changed?.metadata?.['order_id'], '6735');
  const { data: got } = await client.GET('/v1/setup_intents/{intent}', { params });
  equal(got?.id, made.id);
  // @ts-expect-error there is no such usage
  const unused = await client.POST('/v1/setup_intents', { body: { usage: 'never' } });
  equal(unused.response.status, 400);

  const { error } = await client.GET('/v1/setup_intents/{intent}', { params: { path: { intent: 'seti_nobodys' } } });
  equal(error?.error.code, 'resource_missing');
};

for (const [name, run] of Object.entries({ ours, loyaltyDog, spree, orbitKit, stripe })) {
  await run();
  console.log(name);
}
