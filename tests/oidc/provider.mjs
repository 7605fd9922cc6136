// A real OpenID provider on loopback for tests: whoever signs in as NAME has the role NAME; "nobody" has none.
// node provider.mjs FOLDER-OF-NODE_MODULES PORT REDIRECT-URI
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, port, redirect] = process.argv.slice(2);
const found = createRequire(pathToFileURL(`${modules}/`)).resolve('oidc-provider');
const { default: Provider } = await import(pathToFileURL(found));

const claims = (sub) => ({
  sub,
  name: `${sub[0].toUpperCase()}${sub.slice(1)} Person`,
  email: `${sub}@example.org`,
  email_verified: true,
  roles: sub === 'nobody' ? [] : [sub],
});
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{
    client_id: 'trueup',
    client_secret: 'a-secret-of-the-tests-only',
    redirect_uris: [redirect],
    post_logout_redirect_uris: [redirect],
  }],
  findAccount: (_context, id) => ({ accountId: id, claims: () => claims(id) }),
  claims: { openid: ['sub', 'roles'], profile: ['name'], email: ['email', 'email_verified'] },
  conformIdTokenClaims: false, // Streamlit reads the claims of the ID token
  cookies: { keys: ['for tests only'] },
  features: { devInteractions: { enabled: true }, rpInitiatedLogout: { enabled: true } },
  async loadExistingGrant(context) { // nobody is asked for consent
    const { client, session } = context.oidc;
    const grant = new context.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
    grant.addOIDCScope('openid email profile');
    await grant.save();
    return grant;
  },
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
