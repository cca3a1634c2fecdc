// Tokens that must be refused: changed, forged, signed by others, or signed by the provider and meant for nobody here.

import { createHmac, createPublicKey } from 'node:crypto';
import { CompactSign, SignJWT, decodeJwt, exportJWK, generateKeyPair, importJWK } from 'jose';

const encode = (value) =>
  Buffer.from(typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value)).toString('base64url');

// Every way in which the token `good` can be wrong, by its name. `jwk` is the private key that it is signed with.
export async function hostileTokens(good, jwk) {
  const [head, payload, signature] = good.split('.');
  const claims = decodeJwt(good);
  const header = { alg: jwk.alg, typ: 'at+jwt', kid: jwk.kid };
  return {
    ...changed(header, head, payload, signature, claims),
    ...macs(header, payload, jwk),
    ...(await forged(header, claims)),
    ...(await misused(header, claims, await importJWK(jwk, jwk.alg))),
  };
}

// What needs no key at all.
function changed(header, head, payload, signature, claims) {
  const unsigned = (alg) => `${encode({ ...header, alg })}.${payload}.`;
  const der = Buffer.concat([Buffer.from('3044', 'hex'), Buffer.from(signature, 'base64url')]);
  return {
    'alg none': unsigned('none'),
    'alg None': unsigned('None'),
    'alg NONE': unsigned('NONE'),
    'alg none with a signature': unsigned('none') + signature,
    'other claims': `${head}.${encode({ ...claims, sub: 'carol' })}.${signature}`,
    'other claims in front': `${head}.${encode(`{"sub":"carol",${JSON.stringify(claims).slice(1)}`)}.${signature}`,
    'signature of zeros': `${head}.${payload}.${encode(Buffer.alloc(64))}`,
    'no signature': `${head}.${payload}.`,
    'short signature': `${head}.${payload}.${signature.slice(0, -4)}`,
    'signature in DER': `${head}.${payload}.${encode(der)}`,
    'two parts': `${head}.${payload}`,
    'four parts': `${head}.${payload}.${signature}.x`,
    'empty parts': '..',
    'not base64': '!!!.!!!.!!!',
    'huge header': `${encode({ ...header, x: 'x'.repeat(8000) })}.${payload}.${signature}`,
  };
}

// The public key, which everybody has, taken for a secret.
function macs(header, payload, jwk) {
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const secrets = {
    PEM: key.export({ type: 'spki', format: 'pem' }),
    DER: key.export({ type: 'spki', format: 'der' }),
    JWK: JSON.stringify(key.export({ format: 'jwk' })),
    nothing: '',
  };
  const signed = `${encode({ ...header, alg: 'HS256' })}.${payload}`;
  const token = (secret) => `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  return Object.fromEntries(
    Object.entries(secrets).map(([name, secret]) => [`HS256 with the public key as ${name}`, token(secret)]),
  );
}

// Signed well, by somebody else.
async function forged(header, claims) {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const sign = (extra) => new SignJWT(claims).setProtectedHeader({ ...header, ...extra }).sign(privateKey);
  return {
    'another key': await sign({}),
    'a key that nobody published': await sign({ kid: 'nobody' }),
    'no name of a key': await sign({ kid: undefined }),
    'a key of its own': await sign({ jwk: await exportJWK(publicKey) }),
    'keys from elsewhere': await sign({ jku: 'https://sso.test:9443/jwks' }),
    'a path as the name of a key': await sign({ kid: '../../../../dev/null' }),
  };
}

// Signed by the provider.
async function misused(header, claims, key) {
  const now = Math.floor(Date.now() / 1000);
  const signed = (text, extra = {}) =>
    new CompactSign(Buffer.from(text)).setProtectedHeader({ ...header, ...extra }).sign(key, { crit: { x: true } });
  const sign = (changes, extra) => signed(JSON.stringify({ ...claims, ...changes }), extra);
  return {
    expired: await sign({ iat: now - 7200, exp: now - 3600 }),
    'no end': await sign({ exp: undefined }),
    'end as text': await sign({ exp: String(now + 600) }),
    'negative end': await sign({ exp: -1 }),
    'not yet valid': await sign({ nbf: now + 3600 }),
    'issued in the future': await sign({ iat: now + 3600 }),
    'another issuer': await sign({ iss: 'https://evil.test' }),
    'issuer with a slash': await sign({ iss: `${claims.iss}/` }),
    'no issuer': await sign({ iss: undefined }),
    'another audience': await sign({ aud: 'https://other.example' }),
    'no audience': await sign({ aud: undefined }),
    'audience that begins alike': await sign({ aud: `${claims.aud}.evil.test` }),
    'an ID token': await sign({ aud: 'opendcre-cli', nonce: 'n' }, { typ: 'JWT' }),
    'an ID token for us': await sign({ nonce: 'n' }, { typ: 'JWT' }),
    'a token for logging out': await sign({ events: {} }, { typ: 'logout+jwt' }),
    'a critical extension': await sign({}, { crit: ['x'], x: 1 }),
    'two subjects': await signed(JSON.stringify(claims).replace(/}$/, ',"sub":"carol"}')),
    'no subject': await sign({ sub: undefined, preferred_username: undefined }),
    'groups as text': await sign({ groups: 'operators' }),
    'groups as an object': await sign({ groups: { operators: true } }),
  };
}
