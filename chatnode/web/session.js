// Signing in and out. The token is in a cookie that no script can read, so the node is asked who is signed in.

import { $, Errors, base, call, getJson, onSubmit, show } from "./common.js";

const errors = new Errors({ handle: "sign-in-handle", password: "sign-in-password" }, "sign-in-error");
const NOT_KEPT = "The browser did not keep the sign-in. Allow cookies for this page, and open it with https if the node offers it.";

let asked = false;
/** Whether something else on the page, such as an invite, covers the sign-in form. */
let covered = false;

/** The plugin's page to return to after signing in; only a page of this node. */
export function nextPage() {
  const next = new URLSearchParams(location.hash.slice(1)).get("next");
  if (!next) return null;
  try {
    const { origin, pathname, search } = new URL(next, base);
    const plugins = `${base.pathname}plugins`;
    const isPage = pathname === plugins || pathname.startsWith(`${plugins}/`);
    return origin === base.origin && isPage ? `${base.origin}${pathname}${search}` : null;
  } catch {
    return null;
  }
}

/** Asks who is signed in, shows it and returns their handle. Throws when the node does not respond. */
export async function refresh() {
  const { ok, status, answer } = await getJson("v1/people.me");
  if (status === 429 || status >= 500) throw new Error("neither signed in nor out");
  asked = true;
  if (!ok) {
    showSignedOut();
    return null;
  }
  const next = nextPage();
  if (next) location.replace(next);
  else await showSignedIn(answer.person.handle);
  return answer.person.handle;
}

/** Asks who is signed in unless the node has answered before; call it repeatedly. */
export async function refreshUntilKnown() {
  if (!asked) await refresh().catch(() => {});
}

/** `isCovered`: something else covers the form. `handle`: the user whose password was just set. */
export function cover(isCovered, handle = "") {
  covered = isCovered;
  if (handle) $("sign-in-handle").value = handle;
  if (asked && $("signed-in").hidden) $("sign-in").hidden = covered;
}

function showSignedOut() {
  $("signed-in").hidden = true;
  const appears = $("sign-in").hidden && !covered;
  $("sign-in").hidden = covered;
  if (appears && nextPage()) $("sign-in-handle").focus();
}

async function showSignedIn(handle) {
  const { ok, answer } = await getJson("plugins");
  const links = ok ? answer.pages.map(pageLink) : [];
  $("pages").replaceChildren(...links);
  $("no-pages").hidden = links.length > 0;
  show("me", handle);
  show("sign-out-error", "");
  $("sign-in").hidden = true;
  $("signed-in").hidden = false;
}

function pageLink({ title, path }) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = new URL(path, base).href;
  link.textContent = title;
  item.append(link);
  return item;
}

async function signIn() {
  const handle = $("sign-in-handle").value.trim();
  const password = $("sign-in-password").value;
  const empty = [];
  if (!handle) empty.push(errors.show("handle", "Enter your handle."));
  if (!password) empty.push(errors.show("password", "Enter your password."));
  if (empty.length) {
    empty[0].focus();
    return;
  }
  show("sign-in-status", "");
  const { ok, answer } = await call("sessions.create", { handle, password, device: "browser" });
  if (!ok) {
    // The node does not say which of the two is wrong; let the user retype the password.
    const wrong = answer.error.code === "wrong_password";
    const field = wrong ? errors.show("password", "Wrong handle or password.") : errors.show(answer.error.path, sentence(answer.error.message));
    field?.focus();
    if (wrong) $("sign-in-password").select();
    return;
  }
  $("sign-in-form").reset();
  if ((await refresh()) === null) errors.show(null, NOT_KEPT);
  else $("signed-in-title").focus();
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

async function signOut() {
  $("sign-out").disabled = true;
  show("sign-out-error", "");
  try {
    const listed = await getJson("v1/sessions.list");
    const current = listed.ok ? listed.answer.sessions.find((each) => each.current) : null;
    if (current) await call("sessions.revoke", { session: current.session });
    if ((await refresh()) === null) {
      show("sign-in-status", "You are signed out.");
      $("sign-in-handle").focus();
    }
  } catch {
    show("sign-out-error", "The node did not respond; you are still signed in.");
  } finally {
    $("sign-out").disabled = false;
  }
}

onSubmit($("sign-in-form"), $("sign-in-submit"), errors, signIn);
$("sign-out").addEventListener("click", signOut);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && asked) refresh().catch(() => {}); // signed in or out in another window, perhaps
});
