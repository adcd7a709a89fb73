// The tab of users: the tree of organizations, who there is, and what each sees, and why.

import { count } from "./admin-format.js";
import { json, sentence } from "./api.js";
import { element } from "./dom.js";
import { moment } from "./format.js";

const PREFIX = "/api/admin/directory";
const PAUSE = 200;
const byId = (id) => document.getElementById(id);

/** Fill the tab. */
export function openUsers() {
  const tab = new UsersTab();
  tab.start();
  return null;
}

class UsersTab {
  constructor() {
    this.organization = null;
    this.organizations = [];
    this.following = null;
    this.searching = 0;
    let waiting = 0;
    byId("user-search").addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => this.list(), PAUSE);
    });
    byId("users-more").addEventListener("click", () => this.list(this.following));
  }

  async start() {
    await Promise.all([this.list(), this.#tree(), this.#findings()]);
  }

  /** Show the users that are searched for, or further ones. */
  async list(after = null) {
    const mine = (this.searching += 1);
    const asked = new URLSearchParams();
    const search = byId("user-search").value.trim();
    if (search) asked.set("search", search);
    if (this.organization !== null) asked.set("organization", this.organization);
    if (after !== null) asked.set("after", after);
    try {
      const page = await json(`${PREFIX}/users?${asked}`);
      if (mine !== this.searching) return;
      const items = page.users.map((user) => element("li", {}, this.#pick(user)));
      if (after !== null) byId("user-list").append(...items);
      else byId("user-list").replaceChildren(...items);
      if (!page.total) byId("user-list").append(element("li.muted", {}, "Nobody of that name."));
      byId("users-count").textContent = page.total === 1 ? "1 user" : `${count(page.total)} users`;
      this.following = page.following;
      byId("users-more").hidden = page.following === null;
    } catch (error) {
      byId("user-list").replaceChildren(element("li.notice.bad", {}, error.message));
    }
  }

  #pick(user) {
    const roles = user.roles.map(({ role }) => role).join(", ") || "no role";
    return element(
      "button.pick",
      { type: "button", "data-user": user.id, onclick: () => this.#explain(user.id) },
      element("strong", {}, user.name || user.id),
      user.name && user.name !== user.id ? element("span", {}, user.id) : null,
      user.active ? null : element("span.badge", {}, "inactive"),
      user.has_defect ? element("span.badge.bad", {}, "defect") : null,
      element("span.muted", {}, roles),
    );
  }

  async #explain(user, organization = null) {
    for (const each of byId("user-list").querySelectorAll(".pick")) {
      each.setAttribute("aria-current", String(each.dataset.user === user));
    }
    const within = organization === null ? "" : `?organization=${encodeURIComponent(organization)}`;
    try {
      const told = await json(`${PREFIX}/users/${encodeURIComponent(user)}/access${within}`);
      const choose = this.#within(user, organization);
      const head = element("div.access-head", {}, element("h2", {}, told.access?.name || user), choose);
      const body = told.denied ? denied(told.denied) : treeOf(told.access);
      byId("access").replaceChildren(head, body);
    } catch (error) {
      byId("access").replaceChildren(element("div.notice.bad", { role: "alert" }, error.message));
    }
  }

  #within(user, organization) {
    const select = element(
      "select.input.small",
      {
        "aria-label": "Only within an organization",
        onchange: (event) => this.#explain(user, event.target.value || null),
      },
      element("option", { value: "" }, "everywhere"),
      ...this.organizations.map((each) =>
        element("option", { value: each.id, selected: each.id === organization }, `within ${each.name || each.id}`),
      ),
    );
    return select;
  }

  async #tree() {
    const place = byId("organizations");
    try {
      const { organizations } = await json(`${PREFIX}/organizations`);
      this.organizations = organizations;
      const known = new Set(organizations.map((each) => each.id));
      const below = Map.groupBy(organizations, (each) => (known.has(each.parent) ? each.parent : null));
      const seen = new Set();
      const branch = (parent) => {
        const children = (below.get(parent) ?? []).filter((each) => !seen.has(each.id));
        children.forEach((each) => seen.add(each.id));
        return children.length
          ? [element("ul", {}, ...children.map((each) => element("li", {}, this.#organization(each), ...branch(each.id))))]
          : [];
      };
      const roots = branch(null);
      const lost = organizations.filter((each) => !seen.has(each.id)); // a loop of parents
      const tree = element("div.tree", {}, ...roots);
      if (lost.length) tree.append(element("ul", {}, ...lost.map((each) => element("li", {}, this.#organization(each)))));
      place.replaceChildren(organizations.length ? tree : element("p.muted", {}, "There are none."));
    } catch (error) {
      place.replaceChildren(element("p.notice.bad", {}, error.message));
    }
  }

  #organization(each) {
    const practices = each.practices.length === 1 ? "1 practice" : `${count(each.practices.length)} practices`;
    const users = each.users === 1 ? "1 user" : `${count(each.users)} users`;
    return element(
      "div.organization",
      { title: each.practices.length ? `practices ${each.practices.join(", ")}` : "no practice of its own" },
      element("button.linklike", { type: "button", onclick: () => this.#filter(each) }, each.name || each.id),
      element("span.muted", {}, `${practices}, ${users}`),
      each.active ? null : element("span.badge.warn", {}, "inactive"),
      each.has_defect ? element("span.badge.bad", {}, "defect") : null,
    );
  }

  #filter(organization) {
    this.organization = organization?.id ?? null;
    const note = byId("users-filter");
    note.hidden = organization === null;
    note.replaceChildren(
      ...(organization
        ? [
            element("span", {}, `of ${organization.name || organization.id}`),
            element("button.button.small.quiet", { type: "button", onclick: () => this.#filter(null) }, "show all"),
          ]
        : []),
    );
    this.list();
  }

  async #findings() {
    const place = byId("findings");
    try {
      const { findings } = await json(`${PREFIX}/defects`);
      const items = findings.map((each) =>
        element(
          "li",
          {},
          element(each.is_defect ? "span.badge.bad" : "span.badge.warn", {}, each.is_defect ? "defect" : "odd"),
          element("code", {}, each.place),
          element("span", {}, each.problem),
        ),
      );
      place.replaceChildren(
        items.length
          ? element("ul.findings", {}, ...items)
          : element("p.muted", {}, "Nothing is wrong, and nothing is odd."),
      );
    } catch (error) {
      place.replaceChildren(element("p.notice.bad", {}, error.message));
    }
  }
}

function denied({ reason, message }) {
  return element(
    "div",
    {},
    element("p", {}, element("span.badge.bad", {}, "denied"), ` ${reason}`),
    element("p.muted", {}, sentence(message)),
  );
}

/** A grant, explained line by line, in the words of `warmcube explain-access`. */
function treeOf(access) {
  const branches = [
    ...access.roles.map(roleBranch),
    ...access.inactive_organizations.map((each) => [`organization ${each} is inactive, and counts for nothing`]),
    ...access.lost_organizations.map((each) => [`organization ${each} has a defect in the directory, and grants nothing`]),
    ["data sources", ...access.datasources.map((each) => [`${each.id} (${each.name}): ${each.exists}`])],
    [`decided ${access.decided_at.slice(0, 19)}${access.decided_at.slice(-6)} from directory version ${access.directory_version.slice(0, 12)}`],
  ];
  const name = access.name === access.user ? "" : ` (${access.name})`;
  const within = access.organization === null ? "" : `, within ${access.organization}`;
  return element(
    "div.tree",
    { id: "access-tree", title: `decided ${moment(access.decided_at)}` },
    element("ul", {}, lineOf([`${access.user}${name}${within}`, ...branches], 0)),
  );
}

function lineOf([text, ...below], level) {
  const kind = text.startsWith("comes to nothing") ? "nothing" : `level-${level}`;
  return element(
    "li",
    {},
    element(`span.line.${kind}`, {}, text),
    below.length ? element("ul", {}, ...below.map((each) => lineOf(each, level + 1))) : null,
  );
}

function roleBranch(role) {
  const where = role.organization === null ? "" : ` in ${role.organization} and below`;
  const until = role.expires === null ? "" : `, ${role.in_force ? "until" : "expired"} ${role.expires}`;
  const below = [...role.rights.map(rightBranch), ...role.permissions.map((each) => [each])];
  if (role.in_force && !below.length) below.push(["gives nothing here"]);
  return [`role ${role.role}${where}${until}`, ...below];
}

function rightBranch(right) {
  const below = [];
  if (right.organizations === null) below.push(["every row, those of no practice included"]);
  for (const each of right.organizations ?? []) {
    const name = each.name === each.id ? "" : ` (${each.name})`;
    below.push([`organization ${each.id}${name}: practices ${each.practices.join(", ") || "none of its own"}`]);
  }
  if (right.providers?.length) below.push([`only rows of ${right.providers.map(provider).join(", ")}`]);
  if (right.nothing !== null) below.push([`comes to nothing: ${right.nothing}`]);
  return [right.permission, ...below];
}

function provider(each) {
  return each.practice === null
    ? `provider ${each.provider} wherever it occurs`
    : `provider ${each.provider} in practice ${each.practice}`;
}
