// The page at `/`: shows the node's state, signs users in, and handles invite, set-up and reset links.

import { $, Errors, base, call, getJson, onSubmit, show } from "./common.js";
import { cover, refresh, refreshUntilKnown } from "./session.js";

const POLL_MS = 5000;

const nodeUrl = base.href.replace(/\/$/, "");

// ---- the node's state

function showState(state, text) {
  $("state").dataset.state = state;
  show("state", text);
}

async function poll() {
  try {
    const [{ answer: health }, { answer: info }] = await Promise.all([getJson("health"), getJson("v1/node.info")]);
    showState(health.status === "ok" ? "ok" : "failing", health.status === "ok" ? "OK" :  describe(health.parts));
    show("live", String(health.parts?.sessions?.live ?? "–"));
    show("version", info.version ?? "–");
    $("needs-setup").hidden = !info.needs_setup;
  } catch {
    showState("failing", "not responding");
  }
}

function describe(parts) {
  const failing = Object.entries(parts ?? {}).filter(([, part]) => part.status !== "ok");
  return failing.map(([name, part]) => `${name}: ${part.reason ?? part.status}`).join("; ") || "failing";
}

async function keepPolling() {
  if (!document.hidden) await Promise.all([poll(), refreshUntilKnown()]);
  setTimeout(keepPolling, POLL_MS);
}

// ---- invite and set-up links, and those for a new password

const LINKS = {
  invite: { title: "You are invited", button: "Create account" },
  setup: { title: "Create the first administrator", button: "Create account" },
  reset: { title: "Set a new password", button: "Set password" },
};
const errors = new Errors({ handle: "handle", name: "name", password: "password", again: "again" }, "code-error");
let kind = "";
let code = "";

function readLink() {
  const fields = new URLSearchParams(location.hash.slice(1));
  kind = Object.keys(LINKS).find((name) => fields.get(name)) ?? "";
  code = fields.get(kind) ?? "";
  $("invite").hidden = !code;
  cover(Boolean(code));
  if (!code) return;
  errors.clear();
  $("done").hidden = true;
  for (const part of document.querySelectorAll(".new-account")) part.hidden = kind === "reset";
  show("invite-title", LINKS[kind].title);
  show("submit", LINKS[kind].button);
  $(kind === "reset" ? "password" : "handle").focus();
}

/** Faults that show without asking the node; the node finds the rest. */
function faults() {
  const found = [];
  if (kind !== "reset" && !$("handle").value.trim()) found.push(["handle", "Choose a handle."]);
  if (!$("password").value) found.push(["password", "Choose a password."]);
  else if ($("password").value !== $("again").value) found.push(["again", "The passwords do not match."]);
  return found;
}

function request() {
  const password = $("password").value;
  if (kind === "reset") return ["people.reset_password", { code, password }];
  const name = $("name").value.trim();
  const fields = { code, handle: $("handle").value.trim(), password, device: "browser" };
  return ["invites.accept", name ? { ...fields, name } : fields];
}

async function useLink() {
  const wrong = faults().map(([field, message]) => errors.show(field, message));
  if (wrong.length) {
    wrong[0].focus();
    return;
  }
  const [command, fields] = request();
  const { ok, answer } = await call(command, fields);
  if (ok) {
    welcome(answer.person.handle);
    await refresh();
  } else {
    errors.show(answer.error.path, answer.error.message)?.focus();
  }
}

function welcome(handle) {
  $("invite-form").reset();
  history.replaceState(null, "", location.pathname); // the code is used up
  $("invite").hidden = true;
  cover(false, handle);
  show("done-handle", handle);
  show("done-text", kind === "reset" ? "Your new password is set, and all devices are signed out." : "Your account has been created.");
  show("done-command", `chatnode chat --url ${nodeUrl} --as ${handle}`);
  $("done").hidden = false;
  $("done-title").focus();
}

show("connect-command", `chatnode chat --url ${nodeUrl}`);
onSubmit($("invite-form"), $("submit"), errors, useLink);
addEventListener("hashchange", () => {
  readLink();
  refresh().catch(() => {});
});
readLink();
keepPolling();
