// What is asked, as the address of the page says it: a link to the page is a link to the answer.

const one = (given, name) => given.get(name) ?? undefined;

/** The state in an address. What the data do not have, is left out. */
export function read(address, data) {
  const given = new URLSearchParams(address);
  const names = data.runs.map((run) => run.name);
  const runs = given.getAll("run").filter((name) => names.includes(name));
  const page = Number.parseInt(given.get("page"), 10);
  return {
    text: one(given, "text") || undefined,
    item: one(given, "text") ? undefined : one(given, "item") || undefined,
    picture: given.has("picture"),
    plus: given.getAll("plus"),
    minus: given.getAll("minus"),
    where: given.getAll("where"),
    side: one(given, "side"),
    grouped: given.get("grouped") !== "no",
    runs: runs.length ? runs : names.slice(0, 1),
    page: page > 1 ? page : 1,
  };
}

/** The address of a state, without what is as it is anyway. */
export function write(state, data) {
  const made = new URLSearchParams();
  for (const name of ["text", "item"]) if (state[name]) made.set(name, state[name]);
  if (state.picture) made.set("picture", "1");
  for (const name of ["plus", "minus", "where"]) for (const value of state[name]) made.append(name, value);
  if (state.side && state.side !== sidesOf(data)[0]) made.set("side", state.side);
  if (!state.grouped) made.set("grouped", "no");
  const usual = state.runs.length === 1 && state.runs[0] === data.runs[0].name;
  if (!usual) for (const name of state.runs) made.append("run", name);
  if (state.page > 1) made.set("page", state.page);
  const written = made.toString();
  return written ? `?${written}` : location.pathname;
}

/** The sides that any run can be searched for, pictures first. */
export function sidesOf(data) {
  const all = new Set(data.runs.flatMap((run) => run.sides));
  return ["image", "text"].filter((side) => all.has(side));
}

export const isAsked = (state) => Boolean(state.text || state.item || state.picture);
