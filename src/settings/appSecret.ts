/** Values that documentation and examples show in place of a secret. They are public, so they cannot be secrets. Lower case. */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  "replace-me-with-a-random-string",
  "replace_me_with_a_random_string",
  "replace-me",
  "replaceme",
  "replace-this",
  "random-string",
  "some-random-string",
  "a-random-string",
  "your-random-string",
  "your-random-secret",
  "your-secret",
  "your-secret-here",
  "your-secret-key",
  "your-secret-key-here",
  "your_secret_key",
  "your-app-secret",
  "your-app-secret-here",
  "my-secret",
  "mysecret",
  "my-secret-key",
  "mysecretkey",
  "app-secret",
  "app_secret",
  "appsecret",
  "encryption-secret-key",
  "encryption_secret_key",
  "secret",
  "secret-key",
  "secretkey",
  "supersecret",
  "super-secret",
  "topsecret",
  "top-secret",
  "changeme",
  "change-me",
  "change_me",
  "changethis",
  "change-this",
  "change-me-please",
  "change-me-in-production",
  "default",
  "example",
  "placeholder",
  "password",
  "passw0rd",
  "umami",
  "umami-secret",
  "footfall",
  "footfall-secret",
  "test",
  "testsecret",
  "test-secret",
  "12345678",
  "123456789",
  "1234567890",
  "0123456789abcdef"
])

/** Whether a secret is well known: a documented placeholder, in any case and quotes, or one character repeated. */
export const isPlaceholderSecret = (secret: string): boolean => {
  const bare = secret
    .trim()
    .replace(/^(["'<[{]+)(.*?)(["'>\]}]+)$/, "$2")
    .toLowerCase()
  return PLACEHOLDERS.has(bare) || PLACEHOLDERS.has(bare.replaceAll(/[\s_]+/g, "-")) || /^(.)\1*$/.test(bare)
}
