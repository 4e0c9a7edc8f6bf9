/** The style of the plain pages: light and dark as the system has it, readable at any size, and without colors as the only sign. */
export const STYLE = `
:root { color-scheme: light dark; --text: #1c2333; --muted: #566074; --page: #f5f6f9; --card: #fff; --line: #7c869b; --accent: #1d4ed8;
  --on-accent: #fff; --bad: #b3261e; --bad-page: #fdeceb }
@media (prefers-color-scheme: dark) { :root { --text: #e7eaf2; --muted: #aab3c5; --page: #12151d; --card: #1b202b; --line: #7e89a0;
  --accent: #8ab4ff; --on-accent: #0c1322; --bad: #ff9c93; --bad-page: #3a1d1d } }
* { box-sizing: border-box }
[hidden] { display: none !important }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1.5rem 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif }
main { width: 100%; max-width: 27rem; padding: 2rem; background: var(--card); border-radius: .75rem; box-shadow: 0 1px 4px #0002 }
h1 { margin: 0 0 1rem; font-size: 1.375rem; line-height: 1.3 }
p { margin: 0 0 1rem }
.name { margin: 0 0 .25rem; color: var(--muted); font-size: .9375rem }
.hint { margin: .25rem 0 0; color: var(--muted); font-size: .875rem }
form + .hint { margin-top: 1rem }
label { display: block; margin-top: 1rem; font-weight: 600 }
input, select { display: block; width: 100%; margin-top: .25rem; padding: .625rem .75rem; border: 1px solid var(--line); border-radius: .5rem;
  background: var(--card); color: inherit; font: inherit }
input[aria-invalid=true], select[aria-invalid=true] { border: 2px solid var(--bad) }
button, .button { display: block; width: 100%; margin-top: 1.5rem; padding: .6875rem 1rem; border: 1px solid var(--accent); border-radius: .5rem;
  background: var(--accent); color: var(--on-accent); font: inherit; font-weight: 600; text-align: center; text-decoration: none; cursor: pointer }
.second { margin-top: .75rem; background: transparent; color: var(--accent) }
a { color: var(--accent) }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px }
.problem { margin: .25rem 0 0; color: var(--bad); font-size: .875rem }
.problems { margin: 0 0 1rem; padding: .75rem 1rem; border: 1px solid var(--bad); border-radius: .5rem; background: var(--bad-page) }
.problems p, .problems ul { margin: 0 }
.problems ul { padding-left: 1.25rem }
.or { display: flex; align-items: center; gap: .75rem; margin: 1.25rem 0 0; color: var(--muted); font-size: .875rem }
.or::before, .or::after { content: ""; flex: 1; border-top: 1px solid var(--line) }
code { font-size: .9375em; overflow-wrap: anywhere }
`
