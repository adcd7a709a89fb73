// The service's API for pages: JSON in, JSON out, and every failure an ApiError with a sentence.

const csrf = document.querySelector('meta[name="csrf-token"]')?.content ?? "";
const SAFE = new Set(["GET", "HEAD"]);

/** What the API refuses or fails at: problem details (RFC 9457), with a sentence for people. */
export class ApiError extends Error {
  /**
   * @param {object} problem type, title, status, detail, and whatever else the service tells
   */
  constructor(problem) {
    super(sentence(problem.detail || problem.title || "The service gave no reason."));
    this.name = "ApiError";
    this.problem = problem;
    this.status = problem.status ?? 0;
    this.retryAfter = problem.retry_after ?? null;
  }
}

/** A message as a sentence: the service's begin in lower case and end without a full stop. */
export function sentence(text) {
  const trimmed = text.trim();
  const first = trimmed.charAt(0).toUpperCase() + trimmed.slice(1);
  return /[.!?…]$/.test(first) ? first : `${first}.`;
}

/**
 * Ask the API; the response as it came, if it is a good one.
 *
 * Whoever isn't signed in any more is taken to the sign-in page, and comes back here.
 *
 * @param {string} path from the root, with its parameters
 * @param {{method?: string, body?: unknown, headers?: object, signal?: AbortSignal,
 *   staysHere?: boolean, credentials?: string}} [options] body becomes JSON; staysHere has a 401
 *   thrown like any other
 * @returns {Promise<Response>}
 * @throws {ApiError} the service refuses, fails, or can't be reached
 * @throws {DOMException} the signal was used
 */
export async function request(path, options = {}) {
  const { method = "GET", body, headers = {}, signal, staysHere = false, credentials = "same-origin" } = options;
  const sent = { Accept: "application/json", ...headers };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  if (!SAFE.has(method) && csrf) sent["X-CSRF-Token"] = csrf;
  let response;
  try {
    response = await fetch(path, {
      method,
      headers: sent,
      body: body === undefined ? undefined : JSON.stringify(body),
      signal,
      credentials,
      redirect: "error",
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError({
      status: 0,
      title: "Out of reach",
      detail: "The service can’t be reached; look at the connection, and try again",
    });
  }
  if (response.ok) return response;
  const problem = await problemOf(response);
  if (response.status === 401 && !staysHere) {
    signInAgain();
    await new Promise(() => {}); // the page is being left
  }
  throw new ApiError(problem);
}

/** Ask the API, and read its JSON; null where there is nothing to read. */
export async function json(path, options = {}) {
  const response = await request(path, options);
  return response.status === 204 ? null : response.json();
}

/** Send JSON, and read JSON. */
export function post(path, body, options = {}) {
  return json(path, { ...options, method: "POST", body });
}

/** To the sign-in page, and then back to this one. */
function signInAgain() {
  const here = location.pathname + location.search;
  location.assign(`/sign-in?next=${encodeURIComponent(here)}`);
}

/** The data that the server put into the page, under the id of their script element. */
export function pageData(id = "page-data") {
  return JSON.parse(document.getElementById(id).textContent);
}

async function problemOf(response) {
  const plain = { status: response.status, title: response.statusText };
  try {
    const told = await response.json();
    return told && typeof told === "object" ? { ...plain, ...told } : plain;
  } catch {
    return plain;
  }
}
