/** The style sheet. Contrast of every text against its ground is at least 4.5 : 1, in the light and in the dark. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f5f6f8; --surface: #fff; --sunken: #eef0f3; --line: #d9dde3;
  --ink: #1a1f26; --soft: #56606d; --accent: #1d55c0; --on-accent: #fff;
  --good: #17693a; --good-ground: #e2f3e8; --good-bar: #2f9e5c;
  --bad: #a8201a; --bad-ground: #fbe6e4; --bad-bar: #d2453d;
  --warn: #7d5200; --warn-ground: #fbefd4; --warn-bar: #d39a2a;
  --busy: #1d55c0; --busy-ground: #e3ecfc; --busy-bar: #3f7ae0;
  --idle: #4b5563; --idle-ground: #e9ecf0; --idle-bar: #8f9aa8;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12151a; --surface: #1a1e25; --sunken: #0d1014; --line: #2e353f;
    --ink: #e5e8ec; --soft: #a0a9b5; --accent: #86b0ff; --on-accent: #0d1526;
    --good: #7fd8a2; --good-ground: #16301f; --good-bar: #36a866;
    --bad: #ff9d94; --bad-ground: #3b1a18; --bad-bar: #e0574e;
    --warn: #eec06c; --warn-ground: #362a10; --warn-bar: #c98f22;
    --busy: #9cc0ff; --busy-ground: #17284a; --busy-bar: #4a83e6;
    --idle: #b6bfca; --idle-ground: #272d36; --idle-bar: #6d7887;
  }
}
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
html { font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Liberation Sans", sans-serif; }
body { margin: 0; background: var(--ground); color: var(--ink); overflow-wrap: break-word; }
a { color: var(--accent); text-underline-offset: 2px; text-decoration-thickness: from-font; }
a:hover { text-decoration-thickness: 2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
main:focus { outline: none; }
code, pre, .lines { font-family: var(--mono); font-size: .87em; }
p { margin: .4rem 0; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0; font-weight: 650; overflow-wrap: anywhere; }
h1 code { font-size: .9em; }
h2 { font-size: 1.05rem; margin: 0 0 .5rem; font-weight: 650; }
h3 { font-size: .95rem; margin: .8rem 0 .4rem; font-weight: 600; }

.skip { position: absolute; left: -999rem; top: 0; padding: .5rem 1rem; background: var(--surface); z-index: 3; }
.skip:focus { left: .5rem; top: .5rem; }
.top { display: flex; flex-wrap: wrap; align-items: center; gap: .25rem 1.5rem; padding: .6rem max(1rem, calc(50vw - 36rem));
  background: var(--surface); border-bottom: 1px solid var(--line); }
.top a { text-decoration: none; }
.top nav a { color: var(--soft); padding: .25rem 0; }
.top nav a[aria-current] { color: var(--ink); box-shadow: 0 2px 0 var(--accent); }
.brand { font-weight: 650; color: var(--ink); }
.brand span { color: var(--accent); }
.session { margin-left: auto; }
.session form { margin: 0; }
main { display: grid; gap: 1.25rem; grid-template-columns: minmax(0, 1fr); max-width: 74rem; margin: 0 auto; padding: 1rem 1rem 4rem; }
.trail ol { list-style: none; display: flex; flex-wrap: wrap; margin: 0; padding: 0; font-size: .9rem; color: var(--soft); }
.trail li { min-width: 0; overflow-wrap: anywhere; }
.trail li + li::before { content: "/"; margin: 0 .5rem; color: var(--soft); }
.strip { margin: 0; padding: .5rem max(1rem, calc(50vw - 36rem)); background: var(--warn-ground); color: var(--warn); }
.toast { position: fixed; right: 1rem; bottom: 1rem; margin: 0; max-width: min(28rem, calc(100vw - 2rem)); padding: .7rem 1rem;
  border: 1px solid var(--line); border-left: 4px solid var(--accent); border-radius: 6px; background: var(--surface);
  box-shadow: 0 6px 24px rgb(0 0 0 / 22%); z-index: 2; }
.toast:empty { visibility: hidden; }
.toast.bad { border-left-color: var(--bad-bar); color: var(--bad); }

.head { display: flex; flex-wrap: wrap; align-items: center; gap: .4rem .8rem; margin-bottom: .6rem; }
.head h2, .head .lead, .head .hint { margin: 0; }
.actions { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem; margin-left: auto; }
.lead { color: var(--soft); max-width: 60rem; white-space: pre-line; overflow-wrap: anywhere; }
.hint, .age { color: var(--soft); font-size: .9em; }
.age { white-space: nowrap; }
.warn { color: var(--warn); }
.note { color: var(--warn); }
td .note, th .note { display: block; font-weight: 400; font-size: .9em; }
.narrow { max-width: 30rem; width: 100%; margin: 2rem auto; }
.plain { list-style: none; margin: 0; padding: 0; }

table { width: 100%; border-collapse: collapse; background: var(--surface); border: 1px solid var(--line); border-radius: 8px;
  border-spacing: 0; overflow: hidden; }
th, td { text-align: left; vertical-align: top; padding: .45rem .75rem; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
.short { white-space: nowrap; overflow-wrap: normal; }
thead th { font-size: .82rem; font-weight: 600; color: var(--soft); background: var(--ground); border-top: 0; white-space: nowrap; }
tbody th { font-weight: 600; min-width: 6rem; }
tbody tr:hover { background: color-mix(in srgb, var(--surface), var(--ground) 60%); }
time { font-variant-numeric: tabular-nums; }
.reason { display: block; color: var(--soft); font-size: .9em; max-width: 34rem; }
.clamp { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; }

.badge { display: inline-flex; align-items: baseline; gap: .35em; padding: .05rem .55rem; border-radius: 99px; font-size: .87rem;
  font-weight: 600; white-space: nowrap; }
.badge.good { color: var(--good); background: var(--good-ground); }
.badge.bad { color: var(--bad); background: var(--bad-ground); }
.badge.warn { color: var(--warn); background: var(--warn-ground); }
.badge.busy { color: var(--busy); background: var(--busy-ground); }
.badge.idle { color: var(--idle); background: var(--idle-ground); }
.sign { font-size: .8em; }

.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15.5rem), 1fr)); gap: .7rem 1.5rem; margin: 0;
  padding: .8rem 1rem; background: var(--surface); border: 1px solid var(--line); border-radius: 8px; }
.facts dt { font-size: .82rem; color: var(--soft); }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.text { white-space: pre-line; }

button { font: inherit; font-weight: 600; padding: .3rem .9rem; border: 1px solid var(--line); border-radius: 6px; color: var(--ink);
  background: var(--surface); cursor: pointer; }
button:hover { border-color: var(--soft); }
button.primary { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
button.danger { color: var(--bad); border-color: var(--bad-bar); }
button[aria-disabled="true"] { opacity: .55; cursor: progress; }
form { display: grid; gap: .5rem; margin-top: 1rem; }
form .primary { justify-self: start; }
label { font-weight: 600; }
input { font: inherit; padding: .4rem .6rem; width: 100%; border: 1px solid var(--soft); border-radius: 6px; background: var(--surface);
  color: var(--ink); }
.problem { padding: .6rem .9rem; border-left: 4px solid var(--bad-bar); background: var(--bad-ground); color: var(--bad); }
.empty { padding: 1rem 1.25rem; border: 1px dashed var(--soft); border-radius: 8px; }
.steps { padding-left: 1.25rem; }
.command { padding: .6rem .8rem; background: var(--sunken); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; margin: .3rem 0; }

.timeline { display: block; margin: .6rem 0; overflow: visible; }
.timeline text { font-size: 13px; fill: var(--ink); }
.timeline .word { fill: var(--soft); }
.timeline .time { font-weight: 600; font-variant-numeric: tabular-nums; }
.timeline .track { fill: var(--sunken); }
.timeline .good { fill: var(--good-bar); }
.timeline .bad { fill: var(--bad-bar); }
.timeline .warn { fill: var(--warn-bar); }
.timeline .busy { fill: var(--busy-bar); }
.timeline .idle { fill: var(--idle-bar); }
.timeline .mark circle { fill: var(--surface); stroke: var(--warn); stroke-width: 1.5; }
.timeline .mark text { font-size: 11px; font-weight: 700; fill: var(--warn); }
.total { margin: 0; color: var(--soft); }
.total strong { color: var(--ink); font-size: 1.15rem; }
.marks { margin: .2rem 0 .8rem; padding-left: 1.5rem; }
.marks li { margin: .25rem 0; }
.marks li::marker { color: var(--warn); font-weight: 700; }
summary { cursor: pointer; color: var(--soft); padding: .3rem 0; }

.lines { margin: 0; padding: .6rem .8rem; background: var(--sunken); border: 1px solid var(--line); border-radius: 8px; white-space: pre-wrap;
  overflow-wrap: anywhere; line-height: 1.45; tab-size: 4; }
#log { height: min(30rem, 60vh); overflow-y: auto; resize: vertical; }
.lines .gap { color: var(--warn); background: var(--warn-ground); font-family: system-ui, sans-serif; padding: .2rem .4rem; margin: .3rem 0; }
section:empty { display: none; }

.without-script { display: none; }
@media (scripting: none) {
  .needs-script { display: none; }
  .without-script { display: block; }
}
@media (prefers-reduced-motion: no-preference) {
  .timeline .going { animation: breathe 2s ease-in-out infinite; }
  @keyframes breathe { 50% { opacity: .6; } }
}
@media (max-width: 46rem) {
  html { font-size: 16px; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  table, tbody, tr, tbody th { display: block; }
  tbody tr { padding: .5rem .75rem; }
  tbody tr + tr { border-top: 1px solid var(--line); }
  tbody th, td { border: 0; padding: .1rem 0; }
  td { display: grid; grid-template-columns: 7.5rem minmax(0, 1fr); gap: .5rem; }
  td::before { content: attr(data-title); color: var(--soft); font-size: .87rem; }
  .short { white-space: normal; overflow-wrap: anywhere; }
  .actions { margin-left: 0; }
}
`;
