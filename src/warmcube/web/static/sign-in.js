// Signing in with a password: the form is sent as JSON, and problems are told beside it.

import { post } from "./api.js";

const form = document.getElementById("sign-in");

function tell(text) {
  const problem = document.getElementById("problem");
  problem.hidden = !text;
  problem.textContent = text;
}

async function signIn(event) {
  event.preventDefault();
  const button = form.querySelector("button");
  const { user, password } = form.elements;
  if (button.getAttribute("aria-busy") === "true") return;
  button.setAttribute("aria-busy", "true");
  tell("");
  try {
    await post("/api/session", { user: user.value, password: password.value }, { staysHere: true });
    location.replace(form.dataset.next);
    return;
  } catch (error) {
    tell(worded(error));
  }
  button.removeAttribute("aria-busy");
  password.select();
  password.focus();
}

function worded(error) {
  if (error.status !== 429) return error.message;
  const minutes = Math.ceil((error.retryAfter ?? 60) / 60);
  const wait = minutes === 1 ? "a minute" : `${minutes} minutes`;
  return `There were too many attempts to sign in. Wait ${wait}, and try again.`;
}

if (form) {
  form.addEventListener("submit", signIn);
  // While somebody types, the browser gets what the next page needs.
  fetch(form.dataset.warm, { priority: "low" }).catch(() => {});
}
