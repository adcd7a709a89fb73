// The tab of the cache: a card for each data source, what it is doing, and how it has been.

import { cardOf } from "./admin-cards.js";
import { count, duration } from "./admin-format.js";
import { openHistory } from "./admin-history.js";
import { follow, hasEnded, Progress } from "./admin-warming.js";
import { json, post } from "./api.js";
import { element } from "./dom.js";
import { moment } from "./format.js";
import { toast } from "./shell.js";

const PREFIX = "/api/admin/analytics/cache";
const EVERY = 10_000;
const OUTCOMES = { done: "good", failed: "bad", abandoned: "warn", queued: "", running: "accent" };
const byId = (id) => document.getElementById(id);

/** Fill the tab, and keep it up to date. */
export function openCache(data) {
  const tab = new CacheTab(data);
  tab.refresh();
  setInterval(() => {
    if (!document.hidden && !byId("panel-cache").hidden) tab.refresh();
  }, EVERY);
  return null;
}

class CacheTab {
  constructor(data) {
    this.data = data;
    this.names = new Map(data.datasources.map((each) => [each.id, each.name]));
    this.progress = new Map();
    this.history = openHistory(data);
    this.refreshing = null;
  }

  /** Ask for everything anew; while that goes on, once more is enough. */
  refresh() {
    this.refreshing ??= this.#refresh().finally(() => {
      this.refreshing = null;
    });
    return this.refreshing;
  }

  async #refresh() {
    const trouble = byId("cache-trouble");
    try {
      const [stats, health, status, recent] = await Promise.all([
        json(`${PREFIX}/stats`),
        json(`${PREFIX}/health`),
        json(`${PREFIX}/warming/status`),
        json(`${PREFIX}/history?hours=1`),
      ]);
      for (const each of stats.datasources) {
        const of = (all) => all.datasources.find((other) => other.datasource === each.datasource);
        const hour = of(recent);
        this.#show({
          stats: each,
          health: of(health),
          latest: hour.points.at(-1) ?? null,
          summary: hour.summary,
          status: of(status),
        });
      }
      this.#showJobs(status.datasources);
      byId("sources").removeAttribute("aria-busy");
      byId("updated").textContent = `as of ${new Date().toLocaleTimeString()}`;
      trouble.hidden = true;
      await this.history.refresh();
    } catch (error) {
      trouble.textContent = error.message;
      trouble.hidden = false;
    }
  }

  #show(told) {
    const id = told.stats.datasource;
    const card = document.querySelector(`.source[data-datasource="${id}"]`);
    const focused = card.contains(document.activeElement) ? document.activeElement.dataset.act : null;
    const { active } = told.status;
    card.replaceChildren(...cardOf(told, this.data.may_manage ? this.#actions(told) : []));
    const known = this.progress.get(id);
    if (known) this.#place(card, known);
    if (active && !hasEnded(active)) this.#follow(id, active);
    if (focused) card.querySelector(`[data-act="${focused}"]`)?.focus();
  }

  #place(card, progress) {
    card.querySelector(".source-head").after(progress.node);
  }

  #actions({ stats }) {
    const isWarm = stats.snapshot !== null;
    const warm = element(
      "button.button.small",
      { type: "button", "data-act": "warm", onclick: () => this.#warm(stats) },
      isWarm ? "Refresh" : "Warm",
    );
    const gone = element(
      "button.button.small.danger",
      { type: "button", "data-act": "invalidate", onclick: () => this.#invalidate(stats) },
      "Invalidate",
    );
    gone.disabled = !isWarm && stats.state !== "damaged";
    return [warm, gone];
  }

  async #warm(stats) {
    const isWarm = stats.snapshot !== null;
    const answer = await asked({
      title: `${isWarm ? "Refresh" : "Warm"} ${stats.name}?`,
      text: isWarm
        ? "The whole table is read from the database again and published as a new snapshot. Until then the present one goes on answering."
        : "The whole table is read from the database and published as a snapshot. Until then the database goes on answering.",
      yes: isWarm ? "Refresh" : "Warm",
      hasForce: isWarm,
    });
    if (!answer) return;
    await this.#do(async () => {
      const body = { datasource: stats.datasource, force: answer.force };
      const { jobs } = await post(`${PREFIX}/warm`, body);
      this.#follow(stats.datasource, jobs[0]);
    });
  }

  async #invalidate(stats) {
    const answer = await asked({
      title: `Invalidate ${stats.name}?`,
      text: `Its snapshot of ${count(stats.rows)} rows is taken away at once, for all users. Until it is warmed again, the database answers everything, which is slower and loads it.`,
      yes: "Invalidate",
      isGrave: true,
    });
    if (!answer) return;
    await this.#do(async () => {
      const { invalidated } = await post(`${PREFIX}/invalidate`, { datasource: stats.datasource });
      toast(
        invalidated[0].was_live
          ? `${stats.name} is invalidated: ${count(invalidated[0].keys)} keys were removed.`
          : `${stats.name} had no snapshot any more.`,
        "good",
      );
      await this.refresh();
    });
  }

  async #do(work) {
    try {
      await work();
    } catch (error) {
      toast(error.message, "bad");
      await this.refresh();
    }
  }

  #follow(id, job) {
    if (!this.progress.has(id)) {
      const progress = new Progress(this.names.get(id));
      progress.show(job);
      this.progress.set(id, progress);
      this.#place(document.querySelector(`.source[data-datasource="${id}"]`), progress);
    }
    follow(job.id, (news) => {
      const progress = this.progress.get(id);
      progress?.show(news);
      if (!hasEnded(news)) return;
      this.progress.delete(id);
      progress?.node.remove();
      this.#tell(news);
      this.refresh();
    });
  }

  #tell(job) {
    const name = this.names.get(job.datasource);
    if (job.state === "done") {
      toast(`${name} is warm: ${count(job.report?.rows)} rows in ${duration(took(job))}.`, "good");
    } else {
      toast(`${name} was not warmed: ${job.failure?.message || "its process gave no sign any more"}`, "bad");
    }
  }

  #showJobs(datasources) {
    const jobs = datasources
      .flatMap(({ active, history }) => [...(active ? [active] : []), ...history])
      .sort((one, other) => Date.parse(other.queued) - Date.parse(one.queued));
    if (!jobs.length) {
      byId("jobs").replaceChildren(element("p.muted", {}, "Nothing has been warmed yet."));
      return;
    }
    const head = ["When", "Data source", "Outcome", "Took", "Rows", "Entries", "By"];
    const rows = jobs.map((job) =>
      element(
        "tr",
        {},
        element("td", {}, moment(job.queued)),
        element("td", {}, this.names.get(job.datasource)),
        element(
          "td",
          {},
          element(`span.badge.${OUTCOMES[job.state] || "plain"}`, {}, job.state),
          job.forced ? element("span.muted", {}, " forced") : null,
        ),
        element("td.number", {}, duration(took(job))),
        element("td.number", {}, count(job.report?.rows ?? null)),
        element("td.number", {}, count(job.report?.entries ?? null)),
        job.failure?.message
          ? element("td.failure", {}, `${job.actor}: ${job.failure.message}`)
          : element("td", {}, job.actor),
      ),
    );
    const cells = head.map((text) =>
      element(["Took", "Rows", "Entries"].includes(text) ? "th.number" : "th", { scope: "col" }, text),
    );
    byId("jobs").replaceChildren(
      element(
        "table.table",
        {},
        element("caption.visually-hidden", {}, "Warms, the youngest first"),
        element("thead", {}, element("tr", {}, ...cells)),
        element("tbody", {}, ...rows),
      ),
    );
  }
}

/** How many seconds a job took; null while it isn't over. */
function took(job) {
  const began = job.started ?? job.queued;
  return job.ended && began ? (Date.parse(job.ended) - Date.parse(began)) / 1000 : null;
}

/**
 * Ask before something is done.
 *
 * @param {{title: string, text: string, yes: string, hasForce?: boolean, isGrave?: boolean}} what
 * @returns {Promise<{force: boolean} | null>} null where it isn't to be done
 */
function asked({ title, text, yes, hasForce = false, isGrave = false }) {
  const dialog = byId("ask");
  byId("ask-title").textContent = title;
  byId("ask-text").textContent = text;
  byId("ask-yes").textContent = yes;
  byId("ask-yes").classList.toggle("danger", isGrave);
  byId("ask-force-field").hidden = !hasForce;
  byId("ask-force").checked = false;
  dialog.returnValue = "";
  dialog.showModal();
  byId(isGrave ? "ask-cancel" : "ask-yes").focus();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => resolve(dialog.returnValue === "yes" ? { force: byId("ask-force").checked } : null),
      { once: true },
    );
  });
}
