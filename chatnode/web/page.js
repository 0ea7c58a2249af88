// The page at `/`: shows that the node lives, and makes invite, set-up and reset links work.
"use strict";

const POLL_MS = 5000;
const FIELDS = ["handle", "name", "password", "again"];

const $ = (id) => document.getElementById(id);

const base = new URL(".", location.href);
const nodeUrl = base.href.replace(/\/$/, "");

// ---- the node's state

/** Changes text only when it differs, so that screen readers say what is new and nothing else. */
function show(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

function showState(state, text) {
  $("state").dataset.state = state;
  show("state", text);
}

async function getJson(path) {
  const response = await fetch(new URL(path, base), { cache: "no-store" });
  return response.json();
}

async function poll() {
  try {
    const [health, info] = await Promise.all([getJson("health"), getJson("v1/node.info")]);
    showState(health.status === "ok" ? "ok" : "failing", health.status === "ok" ? "well" : describe(health.parts));
    show("live", String(health.parts?.sessions?.live ?? "–"));
    show("version", info.version ?? "–");
    $("needs-setup").hidden = !info.needs_setup;
  } catch {
    showState("failing", "does not answer");
  }
}

function describe(parts) {
  const failing = Object.entries(parts ?? {}).filter(([, part]) => part.status !== "ok");
  return failing.map(([name, part]) => `${name}: ${part.reason ?? part.status}`).join("; ") || "failing";
}

async function keepPolling() {
  if (!document.hidden) await poll();
  setTimeout(keepPolling, POLL_MS);
}

// ---- invite and set-up links, and those for a new password

const LINKS = {
  invite: { title: "You are invited", button: "Make my account" },
  setup: { title: "Become the first administrator", button: "Make my account" },
  reset: { title: "Set a new password", button: "Set my password" },
};
let kind = "";
let code = "";

function readLink() {
  const fields = new URLSearchParams(location.hash.slice(1));
  kind = Object.keys(LINKS).find((name) => fields.get(name)) ?? "";
  code = fields.get(kind) ?? "";
  $("invite").hidden = !code;
  if (!code) return;
  clearErrors();
  $("done").hidden = true;
  for (const part of document.querySelectorAll(".new-account")) part.hidden = kind === "reset";
  show("invite-title", LINKS[kind].title);
  show("submit", LINKS[kind].button);
  $(kind === "reset" ? "password" : "handle").focus();
}

/** Puts an error at its field (`code` has a place of its own) and returns the field. */
function showError(path, message) {
  const place = FIELDS.includes(path) ? path : "code";
  show(`${place}-error`, message);
  if (place === "code") return null;
  $(place).setAttribute("aria-invalid", "true");
  return $(place);
}

function clearErrors() {
  show("code-error", "");
  for (const field of FIELDS) {
    show(`${field}-error`, "");
    $(field).removeAttribute("aria-invalid");
  }
}

/** What can be told without asking the node; the rest is the node's to say. */
function faults() {
  const found = [];
  if (kind !== "reset" && !$("handle").value.trim()) found.push(["handle", "Choose a handle."]);
  if (!$("password").value) found.push(["password", "Choose a password."]);
  else if ($("password").value !== $("again").value) found.push(["again", "This is not the same password."]);
  return found;
}

async function submit(event) {
  event.preventDefault();
  clearErrors();
  const wrong = faults().map(([field, message]) => showError(field, message));
  if (wrong.length) {
    wrong[0].focus();
    return;
  }
  $("submit").disabled = true;
  try {
    await useLink();
  } catch {
    showError("code", "The node did not answer. Try again in a moment.");
  } finally {
    $("submit").disabled = false;
  }
}

function request() {
  const password = $("password").value;
  if (kind === "reset") return ["people.reset_password", { code, password }];
  const name = $("name").value.trim();
  const fields = { code, handle: $("handle").value.trim(), password, device: "browser" };
  return ["invites.accept", name ? { ...fields, name } : fields];
}

async function useLink() {
  const [command, fields] = request();
  const response = await fetch(new URL(`v1/${command}`, base), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
  const answer = await response.json();
  if (response.ok) {
    welcome(answer.person.handle);
  } else {
    showError(answer.error.path, answer.error.message)?.focus();
  }
}

function welcome(handle) {
  $("invite-form").reset();
  history.replaceState(null, "", location.pathname); // the code is used up
  $("invite").hidden = true;
  show("done-handle", handle);
  show("done-text", kind === "reset" ? "Your new password is set, and every device is signed out." : "Your account is made.");
  show("done-command", `chatnode chat --url ${nodeUrl} --as ${handle}`);
  $("done").hidden = false;
  $("done-title").focus();
}

show("connect-command", `chatnode chat --url ${nodeUrl}`);
$("invite-form").addEventListener("submit", submit);
addEventListener("hashchange", readLink);
readLink();
keepPolling();
