// An OpenID provider for tests, made of the certified package oidc-provider.
//
// It serves https://sso.test:8443. A second port steers it, with JSON in and out:
//   POST /token   {"user", "format": "es256" | "rs256" | "opaque", "lifetime": seconds}   a token, without logging in
//   POST /hostile {"user"}            tokens that must be refused, by what is wrong with them
//   POST /groups  {"user": [groups]}  changes who is in which group
//   POST /rotate                      signs with new keys; the old ones stay published
//   POST /retire                      publishes only the newest keys
//   POST /fault   {"path", "mode": "error" | "garbage" | "empty" | "hang"}   breaks one path; {} mends everything
//   POST /requests                    how often each path was asked for

import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { generateKeyPairSync, randomUUID } from 'node:crypto';

// The only thing that the package needs and Node.js 20 does not have.
URL.parse ??= (text, base) => {
  try {
    return new URL(text, base);
  } catch {
    return null;
  }
};
const { Provider, errors } = await import('oidc-provider');
const { hostileTokens } = await import('./hostile.mjs');

const ADDRESS = '127.0.0.4';
const ISSUER = 'https://sso.test:8443';
const API_SCOPES = 'api:read';
const SCOPES = 'openid profile groups offline_access';

// Each resource stands for a format of tokens.
const RESOURCES = {
  'https://gateway.example/es256': { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } },
  'https://gateway.example/rs256': { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } },
  'https://gateway.example/opaque': { accessTokenFormat: 'opaque' },
};
const resourceOf = (format) => `https://gateway.example/${format}`;

const users = {
  ada: { groups: ['operators'], roles: [] },
  bob: { groups: ['viewers'], roles: [] },
  carol: { groups: [], roles: ['admin'] },
  dora: { groups: [], roles: [] },
};
const passwordOf = (user) => `s3cr7t-${user}`;

// Keeps everything in memory, where the instances of the provider before and after a change of keys both find it.
const memory = new Map();
class Memory {
  constructor(model) {
    this.model = model;
  }
  key(id) {
    return `${this.model} ${id}`;
  }
  find(id) {
    const kept = memory.get(this.key(id));
    return kept && kept.expires > Date.now() ? kept.payload : undefined;
  }
  findBy(field, value) {
    const matches = ([key, { payload }]) => key.startsWith(`${this.model} `) && payload[field] === value;
    return [...memory].find(matches)?.[1].payload;
  }
  async upsert(id, payload, lifetime) {
    memory.set(this.key(id), { payload, expires: lifetime ? Date.now() + lifetime * 1000 : Infinity });
  }
  async findByUid(uid) {
    return this.findBy('uid', uid);
  }
  async findByUserCode(code) {
    return this.findBy('userCode', code);
  }
  async consume(id) {
    this.find(id).consumed = Math.floor(Date.now() / 1000);
  }
  async destroy(id) {
    memory.delete(this.key(id));
  }
  async revokeByGrantId(grant) {
    for (const [key, { payload }] of memory) if (payload.grantId === grant) memory.delete(key);
  }
}

function newKeys() {
  const key = (alg, type, options) => {
    const jwk = generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' });
    return { ...jwk, alg, use: 'sig', kid: randomUUID() };
  };
  return [key('ES256', 'ec', { namedCurve: 'P-256' }), key('RS256', 'rsa', { modulusLength: 2048 })];
}

const client = (id, rest) => ({ client_id: id, redirect_uris: [], response_types: [], ...rest });
const DEVICE_CODE = 'urn:ietf:params:oauth:grant-type:device_code';

async function consent(provider, clientId, accountId) {
  const grant = new provider.Grant({ clientId, accountId });
  grant.addOIDCScope(SCOPES);
  for (const resource of Object.keys(RESOURCES)) grant.addResourceScope(resource, API_SCOPES);
  await grant.save();
  return grant;
}

function makeProvider(keys) {
  return new Provider(ISSUER, {
    adapter: Memory,
    jwks: { keys },
    cookies: { keys: ['throw-away'] },
    clients: [
      // What `opendcre login` is: a program on somebody's own machine, which can keep no secret.
      client('opendcre-cli', {
        application_type: 'native',
        token_endpoint_auth_method: 'none',
        grant_types: ['authorization_code', 'refresh_token', DEVICE_CODE],
        response_types: ['code'],
        redirect_uris: ['http://127.0.0.1/callback', 'http://127.0.0.1/'],
        id_token_signed_response_alg: 'ES256',
      }),
      // What the gateway is when it shows tokens.
      client('opendcre', { client_secret: 's3cr7t-opendcre', grant_types: [] }),
    ],
    scopes: SCOPES.split(' '),
    claims: { openid: ['sub'], profile: ['preferred_username'], groups: ['groups', 'roles'] },
    findAccount: (_, id) => users[id] && { accountId: id, claims: async () => ({ sub: id, ...claimsOf(id) }) },
    extraTokenClaims: (_, token) => claimsOf(token.accountId),
    pkce: { required: () => true },
    ttl: { Session: 3600, Grant: 3600, Interaction: 600, DeviceCode: 120, AuthorizationCode: 60 },
    rotateRefreshToken: true,
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: {
      devInteractions: { enabled: false },
      deviceFlow: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => resourceOf('es256'),
        useGrantedResource: () => true,
        getResourceServerInfo: (_, resource) => resourceServer(resource, 300),
      },
    },
    loadExistingGrant: ({ oidc }) => consent(oidc.provider, oidc.client.clientId, oidc.session.accountId),
    renderError: (context, message) => {
      context.type = 'json';
      context.body = message;
    },
  });
}

function claimsOf(user) {
  return { preferred_username: user, groups: users[user].groups, access: { opendcre: users[user].roles } };
}

function resourceServer(resource, lifetime) {
  if (!RESOURCES[resource]) throw new errors.InvalidTarget();
  return { scope: API_SCOPES, audience: resource, accessTokenTTL: lifetime, ...RESOURCES[resource] };
}

let keys = newKeys();
let provider = makeProvider(keys);
let faults = {};
const requests = {};

function sign(newest) {
  keys = newest;
  provider = makeProvider(keys);
}

// The provider's own way to a token, without the pages on which users log in.
async function issue({ user, format, lifetime = 300 }) {
  const resource = resourceOf(format);
  const owner = await provider.Client.find('opendcre-cli');
  const grant = await consent(provider, owner.clientId, user);
  const token = new provider.AccessToken({
    accountId: user,
    client: owner,
    grantId: grant.jti,
    gty: 'authorization_code',
    scope: API_SCOPES,
  });
  token.resourceServer = new provider.ResourceServer(resource, resourceServer(resource, lifetime));
  return token.save();
}

const steering = {
  '/token': async (order) => ({ token: await issue(order) }),
  '/hostile': async ({ user }) => hostileTokens(await issue({ user, format: 'es256' }), keys[0]),
  '/groups': async (changes) => {
    for (const [user, groups] of Object.entries(changes)) users[user].groups = groups;
  },
  '/rotate': async () => sign([...newKeys(), ...keys]),
  '/retire': async () => sign(keys.slice(0, 2)),
  '/fault': async ({ path, mode }) => {
    faults = path ? { ...faults, [path]: mode } : {};
  },
  '/requests': async () => requests,
};

async function body(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

async function steer(request, response) {
  const answer = await steering[request.url](JSON.parse((await body(request)) || '{}'));
  response.setHeader('content-type', 'application/json').end(JSON.stringify(answer ?? {}));
}

// The page on which a user logs in: a form with `login` and `password`.
async function interaction(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  const finish = (result) => provider.interactionFinished(request, response, result);
  if (prompt.name === 'consent') {
    const grant = await consent(provider, params.client_id, session.accountId);
    return finish({ consent: { grantId: grant.jti } });
  }
  const form = request.method === 'POST' ? new URLSearchParams(await body(request)) : new URLSearchParams();
  const user = form.get('login');
  if (users[user] && form.get('password') === passwordOf(user)) return finish({ login: { accountId: user } });
  response.setHeader('content-type', 'text/html');
  response.end('<form method=post><input name=login><input name=password type=password><button>Log in</button></form>');
}

const broken = {
  error: (response) => response.writeHead(500).end(),
  garbage: (response) => response.setHeader('content-type', 'application/json').end('{"keys": [{'),
  empty: (response) => response.setHeader('content-type', 'application/json').end('{"keys": []}'),
  hang: () => {},
};

async function serve(request, response) {
  const { pathname } = new URL(request.url, ISSUER);
  requests[pathname] = (requests[pathname] ?? 0) + 1;
  if (faults[pathname]) return broken[faults[pathname]](response);
  if (pathname.startsWith('/interaction/')) return interaction(request, response);
  return provider.callback()(request, response);
}

// A request that fails is answered, and must not end the provider.
const guarded = (handler) => (request, response) =>
  handler(request, response).catch((error) => {
    console.error(request.method, request.url, error);
    response.writeHead(500).end(String(error));
  });

const tls = { cert: fs.readFileSync(process.env.TLS_CERTIFICATE), key: fs.readFileSync(process.env.TLS_KEY) };
https.createServer(tls, guarded(async (...both) => serve(...both))).listen(8443, ADDRESS);
http.createServer(guarded(steer)).listen(8080, ADDRESS);
