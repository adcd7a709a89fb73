// How a warm gets on: told by the service as it happens, or asked for where that doesn't work.

import { count, duration, percent } from "./admin-format.js";
import { json } from "./api.js";
import { element } from "./dom.js";

const STATUS = "/api/admin/analytics/cache/warming";
const POLL = 1000;
const ENDED = new Set(["done", "failed", "abandoned"]);
const followed = new Set();

/** Whether a job is over. */
export const hasEnded = (job) => ENDED.has(job.state);

/**
 * Follow a job until it is over.
 *
 * @param {string} id of the job
 * @param {(job: object) => void} tell is told every news, the end included
 */
export function follow(id, tell) {
  if (followed.has(id)) return;
  followed.add(id);
  const news = (job) => {
    if (hasEnded(job)) followed.delete(id);
    tell(job);
  };
  const events = new EventSource(`${STATUS}/events?job=${encodeURIComponent(id)}`);
  const hear = (event) => {
    const job = JSON.parse(event.data);
    if (hasEnded(job)) events.close();
    news(job);
  };
  events.addEventListener("progress", hear);
  events.addEventListener("end", hear);
  events.addEventListener("error", () => {
    // A stream that the service has ended in order comes back by itself; another one never does.
    if (events.readyState === EventSource.CLOSED && followed.has(id)) poll(id, news);
  });
}

async function poll(id, news) {
  while (followed.has(id)) {
    try {
      const { job } = await json(`${STATUS}/status?job=${encodeURIComponent(id)}`);
      news(job);
      if (hasEnded(job)) return;
    } catch (error) {
      if (error.status === 404 || error.status === 403) {
        followed.delete(id);
        return;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/** Shows how a job gets on; made once for each job, and then moved along. */
export class Progress {
  constructor(name) {
    this.phase = element("strong");
    this.share = element("span");
    this.rows = element("span");
    this.eta = element("span");
    this.done = element("div");
    this.bar = element(
      "div.bar",
      {
        role: "progressbar",
        "aria-label": `Warming ${name}`,
        "aria-valuemin": "0",
        "aria-valuemax": "100",
      },
      this.done,
    );
    this.node = element(
      "div.warming",
      {},
      element("p", {}, this.phase, this.share),
      this.bar,
      element("p", {}, this.rows, this.eta),
    );
  }

  /** Show where a job is. */
  show(job) {
    const share = Math.round(job.done * 1000) / 10;
    this.phase.textContent =
      job.state === "queued" ? "Waiting for its turn" : (job.phase ?? "Beginning");
    this.share.textContent = percent(job.done);
    this.bar.setAttribute("aria-valuenow", String(share));
    this.bar.setAttribute("aria-valuetext", `${this.share.textContent}, ${this.phase.textContent}`);
    this.done.style.inlineSize = `${share}%`;
    this.rows.textContent =
      job.total_rows === null ? "" : `${count(job.rows)} of ${count(job.total_rows)} rows`;
    this.eta.textContent =
      job.eta_seconds === null ? "" : `about ${duration(job.eta_seconds)} to go`;
  }
}
