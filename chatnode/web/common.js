// What the parts of the page share: asking the node, and showing what it says.

export const $ = (id) => document.getElementById(id);

export const base = new URL(".", location.href);

/** Changes text only when it differs, so that screen readers say what is new and nothing else. */
export function show(id, text) {
  if ($(id).textContent !== text) $(id).textContent = text;
}

export async function getJson(path) {
  const response = await fetch(new URL(path, base), { cache: "no-store", headers: { Accept: "application/json" } });
  return { ok: response.ok, status: response.status, answer: await response.json() };
}

/** Runs a command of the node. */
export async function call(command, fields) {
  const response = await fetch(new URL(`v1/${command}`, base), {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(fields),
  });
  return { ok: response.ok, status: response.status, answer: await response.json() };
}

/** The errors of a form: each at its field, those of no field at a place of their own. */
export class Errors {
  /** `fields`: the id of each field's input by its name; beside it is `<id>-error`. */
  constructor(fields, elsewhere) {
    this.fields = fields;
    this.elsewhere = elsewhere;
  }

  /** Returns the input that the error is shown at, if there is one. */
  show(field, message) {
    const id = this.fields[field];
    show(id ? `${id}-error` : this.elsewhere, message);
    if (!id) return null;
    $(id).setAttribute("aria-invalid", "true");
    return $(id);
  }

  clear() {
    show(this.elsewhere, "");
    for (const id of Object.values(this.fields)) {
      show(`${id}-error`, "");
      $(id).removeAttribute("aria-invalid");
    }
  }
}

/** Lets a form be submitted by script: `send` is called once at a time, and not answering is an error of the form. */
export function onSubmit(form, button, errors, send) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    errors.clear();
    button.disabled = true;
    try {
      await send();
    } catch {
      errors.show(null, "The node did not answer. Try again in a moment.");
    } finally {
      button.disabled = false;
    }
  });
}
