// Signs with vendors' JavaScript libraries: reads the moment from the arguments, prints one JSON delivery a line.
// Run in the folder that install.sh made; the libraries are resolved from there.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [folder, seconds] = [process.argv[2], Number(process.argv[3])];
const require = createRequire(`${folder}/package.json`);
const load = async (name) => {
  try {
    return require(name);
  } catch {
    return import(pathToFileURL(require.resolve(name)).href);
  }
};
const at = new Date(seconds * 1000);
const body = JSON.stringify({ id: "evt_1", type: "thing.created", name: "Zoë – 電話", nested: { a: [1, 2.5, null] } });
const out = (sdk, provider, method, secret, headers, text = body) =>
  console.log(JSON.stringify({ sdk, provider, method, secret, headers, body: text }));

const key = "whsec_" + Buffer.from("a key of thirty-two bytes for it").toString("base64");

const { Webhook: Svix } = await load("svix");
out("svix", "svix", "signature", key, {
  "svix-id": "msg_1",
  "svix-timestamp": String(seconds),
  "svix-signature": new Svix(key).sign("msg_1", at, body),
});

const { Webhook: Standard } = await load("standardwebhooks");
out("standardwebhooks", "standard-webhooks", "signature", key, {
  "webhook-id": "msg_1",
  "webhook-timestamp": String(seconds),
  "webhook-signature": new Standard(key).sign("msg_1", at, body),
});

const stripe = await load("stripe");
const Stripe = stripe.default ?? stripe;
out("stripe", "stripe", "signature", key, {
  "stripe-signature": new Stripe("sk_test_1").webhooks.generateTestHeaderString({ payload: body, secret: key, timestamp: seconds }),
});

const octokit = await import(pathToFileURL(`${folder}/node_modules/@octokit/webhooks-methods/dist-node/index.js`).href);
out("@octokit/webhooks-methods", "github", "signature-256", "It's a Secret to Everybody", {
  "x-github-event": "push",
  "x-github-delivery": "d-1",
  "x-hub-signature-256": await octokit.sign("It's a Secret to Everybody", body),
});

const sanity = await load("@sanity/webhook");
out("@sanity/webhook", "sanity", "signature", "a sanity secret", {
  [sanity.SIGNATURE_HEADER_NAME]: await sanity.encodeSignatureHeader(body, seconds * 1000, "a sanity secret"),
  "idempotency-key": "i-1",
});

const { WorkOS } = await load("@workos-inc/node");
const payload = JSON.parse(body);
const digest = await new WorkOS("sk_test_1").webhooks.computeSignature(String(seconds * 1000), payload, "a workos secret");
out("@workos-inc/node", "workos", "signature", "a workos secret", {
  "workos-signature": `t=${seconds * 1000}, v1=${digest}`,
}, JSON.stringify(payload));

const { AccessToken } = await load("livekit-server-sdk");
const token = new AccessToken("APIkey", "a livekit secret of some length", { ttl: 300 });
token.sha256 = createHash("sha256").update(body).digest("base64");
out("livekit-server-sdk", "livekit", "jwt", "a livekit secret of some length", { authorization: await token.toJwt() });

const retell = await load("retell-sdk/lib/webhook_auth");
out("retell-sdk", "retell", "signature", "key_of_retell", {
  "x-retell-signature": await retell.symmetric.sign(body, "key_of_retell", seconds * 1000),
});

const hub = await load("x-hub-signature");
const Hub = hub.default ?? hub;
out("x-hub-signature", "meta", "signature", "an app secret", {
  "x-hub-signature-256": new Hub("sha256", "an app secret").sign(Buffer.from(body)),
});

const jose = await load("jose");
const netlify = await new jose.SignJWT({ sha256: createHash("sha256").update(body).digest("hex") })
  .setProtectedHeader({ alg: "HS256" })
  .setIssuer("netlify")
  .sign(new TextEncoder().encode("a netlify secret"));
out("jose", "netlify", "signature", "a netlify secret", { "x-webhook-signature": netlify });
