/** What the pages under /_docs are written in: their HTML, and the little style and script that are not the viewer's. */

export interface Frame {
  readonly docsPath: string;
  readonly assetsPath: string;
  /** Without a title: it has no contract. */
  readonly apps: readonly { readonly name: string; readonly title: string | undefined }[];
}

/** The viewer, for the contract beside it. */
export function viewerPage(name: string, title: string, frame: Frame): string {
  return page(
    frame,
    `${title} - ${name}`,
    name,
    '<div id="viewer"></div><noscript><main><p>This page needs JavaScript.</p></main></noscript>',
    [
      `<link rel="stylesheet" href="${frame.assetsPath}/viewer.css">`,
      `<script src="${frame.assetsPath}/viewer.js" defer></script>`,
      `<script src="${frame.assetsPath}/start.js" defer></script>`,
    ],
  );
}

/** Which contract to show. */
export function chooserPage(frame: Frame): string {
  const items = frame.apps.map(({ name, title }) =>
    title === undefined
      ? `<li><span>${escapeHtml(name)}</span> <small>has no contract: name one as <code>openapi:</code> in its service file</small></li>`
      : `<li><a href="${frame.docsPath}/${escapeHtml(name)}/">${escapeHtml(name)}</a> <small>${escapeHtml(title)}</small></li>`,
  );
  return page(frame, "Contracts", undefined, `<main><h1>Contracts</h1><ul>${items.join("")}</ul></main>`, []);
}

/** @param isApp whether it is an app, which has no contract. */
export function notFoundPage(wanted: string, isApp: boolean, frame: Frame): string {
  const why = isApp ? "has no contract: name one as <code>openapi:</code> in its service file." : "is not here.";
  const body = `<main><h1>Nothing to show</h1><p><code>${escapeHtml(wanted)}</code> ${why}</p><p><a href="${frame.docsPath}">All contracts</a></p></main>`;
  return page(frame, "Nothing to show", undefined, body, []);
}

function page(
  { assetsPath, docsPath, apps }: Frame,
  title: string,
  current: string | undefined,
  body: string,
  head: readonly string[],
): string {
  const links = apps
    .filter((app) => app.title !== undefined)
    .map(({ name }) => {
      const here = name === current ? ' aria-current="page"' : "";
      return `<a href="${docsPath}/${escapeHtml(name)}/"${here}>${escapeHtml(name)}</a>`;
    });
  return [
    "<!doctype html>",
    '<html lang="en">',
    "<head>",
    '<meta charset="utf-8">',
    '<meta name="viewport" content="width=device-width, initial-scale=1">',
    '<meta name="color-scheme" content="light dark">',
    `<title>${escapeHtml(title)}</title>`,
    '<link rel="icon" href="data:,">',
    ...head,
    `<link rel="stylesheet" href="${assetsPath}/docs.css">`,
    "</head>",
    "<body>",
    `<header><strong>urocket</strong><nav>${links.join("")}</nav></header>`,
    body,
    "</body>",
    "</html>",
    "",
  ].join("\n");
}

const entities: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };
const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => entities[character] ?? character);

/** Run by the viewer's page. `validatorUrl` would have it ask a server elsewhere whether the contract is valid. */
export const startScript = `"use strict";
const dark = matchMedia("(prefers-color-scheme: dark)");
const paint = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", paint);
paint();
SwaggerUIBundle({
  url: new URL("openapi.json", location.href).href,
  domNode: document.getElementById("viewer"),
  deepLinking: true,
  validatorUrl: null,
  tryItOutEnabled: true,
  displayOperationId: true,
  displayRequestDuration: true,
  docExpansion: "list",
  persistAuthorization: false,
  syntaxHighlight: { theme: "agate" },
});
`;

export const docsStyle = `:root { color-scheme: light dark; }
body { margin: 0; font-family: system-ui, sans-serif; background: #fff; color: #1c2024; }
header { display: flex; gap: 1.5rem; align-items: center; padding: .6rem 1.25rem; background: #14213d; color: #fff; }
header nav { display: flex; gap: .25rem; flex-wrap: wrap; }
header a { color: #cfd8ea; text-decoration: none; padding: .25rem .6rem; border-radius: .3rem; }
header a:hover, header a:focus-visible { background: #26365c; color: #fff; }
header a[aria-current] { background: #33487a; color: #fff; }
body > main { max-width: 46rem; margin: 2rem auto; padding: 0 1.25rem; line-height: 1.6; }
body > main li { margin: .35rem 0; }
body > main small { color: #5b6470; margin-left: .5rem; }
body > main a { color: #1d4ed8; }
.swagger-ui .information-container .info { margin: 24px 0; }
.swagger-ui .scheme-container { padding: 12px 0; box-shadow: none; border-bottom: 1px solid #d9dee5; }
@media (prefers-color-scheme: dark) {
  body { background: #1c2022; color: #e4e6e6; }
  header { background: #0b1426; }
  body > main small { color: #9aa4b2; }
  body > main a { color: #8fb4ff; }
  .swagger-ui .scheme-container { border-color: #363b40; }
}
`;
