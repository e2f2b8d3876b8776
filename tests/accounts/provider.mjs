// A real OpenID provider on loopback, whose people, clock and keys the tests change by POST /control.
// Usage: node provider.mjs <node_modules>; prints its address once it listens.

import { generateKeyPairSync } from "node:crypto";
import http from "node:http";
import { pathToFileURL } from "node:url";

const { default: Provider } = await import(
  pathToFileURL(`${process.argv[2]}/oidc-provider/lib/index.js`)
);

const realNow = Date.now;
let control;
let provider;
let issuer;
let keyNumber = 0;
let keysAsked = 0;

const fresh = () => ({
  people: {},
  who: "",
  deny: false,
  skew: 0,
  tokenSeconds: 3600,
  algorithm: "RS256",
  claimsInToken: false,
  redirectUri: "",
  secret: "",
  refresh: false,
});
Date.now = () => realNow() + control.skew * 1000;

function key(alg) {
  const [kind, options] =
    alg === "RS256" ? ["rsa", { modulusLength: 2048 }] : ["ec", { namedCurve: "P-256" }];
  const { privateKey } = generateKeyPairSync(kind, options);
  keyNumber += 1;
  return { ...privateKey.export({ format: "jwk" }), kid: `key-${keyNumber}`, use: "sig", alg };
}

let keys = [key("RS256"), key("ES256")];

function build() {
  provider = new Provider(issuer, {
    clients: [
      {
        client_id: "kanban",
        client_secret: control.secret,
        redirect_uris: [control.redirectUri],
        id_token_signed_response_alg: control.algorithm,
        ...(control.refresh && { grant_types: ["authorization_code", "refresh_token"] }),
      },
    ],
    claims: {
      openid: ["sub"],
      email: ["email", "email_verified"],
      profile: ["name", "picture"],
      groups: ["groups"],
    },
    conformIdTokenClaims: !control.claimsInToken,
    cookies: { keys: ["only for tests"] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, interaction) => `/interaction/${interaction.uid}` },
    jwks: { keys },
    ttl: { IdToken: () => control.tokenSeconds },
    pkce: { required: () => true },
    findAccount: (_ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, ...control.people[id] }),
    }),
    async loadExistingGrant(ctx) {
      const grant = new ctx.oidc.provider.Grant({
        clientId: ctx.oidc.client.clientId,
        accountId: ctx.oidc.session.accountId,
      });
      grant.addOIDCScope("openid email profile groups offline_access");
      await grant.save();
      return grant;
    },
  });
}

async function change(request, response) {
  const parts = [];
  for await (const part of request) parts.push(part);
  const { rotate, reset, ...wanted } = JSON.parse(Buffer.concat(parts).toString());
  if (reset) keysAsked = 0;
  control = { ...(reset ? fresh() : control), ...wanted };
  if (rotate) keys = [key("RS256"), key("ES256")];
  build();
  response.end(JSON.stringify({ keysAsked }));
}

async function interact(request, response) {
  const result = control.deny
    ? { error: "access_denied", error_description: "Not today." }
    : { login: { accountId: control.who }, ...(control.refresh && { consent: {} }) };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

control = fresh();
const server = http.createServer((request, response) => {
  if (request.url === "/control") return change(request, response);
  if (request.url.startsWith("/interaction/")) return interact(request, response);
  if (request.url === "/jwks") keysAsked += 1;
  return provider.callback()(request, response);
});
server.listen(0, "127.0.0.1", () => {
  issuer = `http://127.0.0.1:${server.address().port}`;
  process.stdout.write(`${issuer}\n`);
});
