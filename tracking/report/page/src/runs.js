// The runs of the experiment that is shown: loaded once, then kept as the server says they are.

import { isAborted } from "./api.js";
import { count } from "./format.js";
import { throttled } from "./loading.js";

const PAGE = 1000;
const MOST_SOUGHT = 20;
const MOST_COUNTED = 10_000;
const PAUSE_MS = 300;
const FIRST_CHOSEN = 10;
const NOBODY = "none";

/** What the address calls a run: its number, or its uuid while it has none. */
export function refOf(run) {
  return String(run.run_id ?? run.uuid);
}

/** Which run it is, whatever it is called meanwhile. */
export function identityOf(run) {
  return run.uuid ?? String(run.run_id);
}

/**
 * The runs that a state of the address chooses: those it names, or the newest as long as new runs
 * are followed. `all` has the newest first.
 */
export function chosenOf(all, find, { runs }) {
  if (runs === NOBODY) return [];
  if (!runs) return all.slice(0, FIRST_CHOSEN);
  return [...new Set(runs.split(",").map(find))].filter(Boolean);
}

/** What is to be known of a list that holds a part of all runs; null where it holds them all. */
export function partText(n, nAll) {
  const all = nAll >= MOST_COUNTED ? `${count(MOST_COUNTED)} or more` : count(nAll);
  return n < nAll ? `The newest ${count(n)} of ${all} runs; a filter of names or verdicts asks for the others.` : null;
}

/** `trouble` says what went wrong. Listeners are told of every change, also of the choice. */
export function createRuns({ api, live, store, trouble, signal }) {
  const listeners = new Set();
  let all = [];
  let byName = new Map();
  let isLoaded = false;
  let part = null;
  let loading = new AbortController();

  const find = (ref) => byName.get(String(ref)) ?? null;
  const tell = (news) => [...listeners].forEach((listener) => listener(news));

  function adopt(runs) {
    all = runs.toSorted((a, b) => b.started_at - a.started_at || (b.run_id ?? Infinity) - (a.run_id ?? Infinity));
    byName = new Map(all.flatMap((run) => [run.uuid, run.run_id].filter((one) => one != null).map((one) => [String(one), run])));
  }

  async function load() {
    loading.abort();
    loading = new AbortController();
    const own = loading.signal;
    const { db } = store.state;
    if (!db) return;
    try {
      const found = [];
      let n = Infinity;
      let isMore = false;
      let nAll = 0;
      while (found.length < n) {
        const page = await api.list({ db, offset: found.length, limit: PAGE, statistic: "tail" }, own);
        found.push(...page.runs);
        n = page.runs.length ? page.n : 0;
        [isMore, nAll] = [page.is_more, page.n_all];
      }
      const older = isMore ? all.filter((run) => run.started_at < found.at(-1).started_at) : [];
      part = isMore ? partText(found.length, nAll) : null;
      adopt([...found, ...older]);
      isLoaded = true;
      trouble.clear("runs");
      trouble.clear("database");
      tell({ isNew: true });
      complete();
    } catch (error) {
      if (!isAborted(error)) trouble.show("runs", `The list of runs is missing. ${error.message}`, load);
    }
  }

  /** Of very many runs only the newest come by themselves: ask for those that are looked for. */
  async function seek() {
    const { db, q, runs } = store.state;
    if (!part || !isLoaded) return;
    const { signal: own } = loading;
    const chosen = runs && runs !== NOBODY ? runs.split(",") : [];
    const missing = chosen.filter((ref) => !find(ref)).slice(0, MOST_SOUGHT);
    try {
      const answers = await Promise.all([
        q ? api.list({ db, q, limit: PAGE, statistic: "tail" }, own) : { runs: [] },
        ...missing.map((run) => api.find({ db, run }, own).then((found) => ({ runs: [found.run] }), () => ({ runs: [] }))),
      ]);
      if (own.aborted) return;
      trouble.clear("search");
      const fresh = new Map(answers.flatMap(({ runs: found }) => found.map((run) => [identityOf(run), run])));
      for (const run of all) fresh.delete(identityOf(run));
      if (!fresh.size) return;
      adopt([...all, ...fresh.values()]);
      tell({ isNew: false });
    } catch (error) {
      if (!isAborted(error)) trouble.show("search", `Older runs were not searched. ${error.message}`, seek);
    }
  }
  const complete = throttled(seek, PAUSE_MS, signal);
  const loadSoon = throttled(load, PAUSE_MS, signal);

  /** Runs that have appeared are chosen as well, where new ones are followed. */
  function follow(added) {
    const { runs, follow: isFollowing } = store.state;
    if (!added.length || !isFollowing || !runs) return;
    const before = runs === NOBODY ? [] : runs.split(",");
    store.set({ runs: [...before, ...added.map(refOf)].join(",") });
  }

  function hear(events) {
    const mine = events.filter(({ database }) => !database || database === store.state.db);
    if (mine.some(({ kind, is_whole: isWhole }) => kind === "reload" || (kind === "runs" && !isWhole))) {
      loadSoon();
      return;
    }
    if (mine.some(({ kind }) => kind === "problem")) trouble.show("database", `${store.state.db} cannot be read at the moment.`, load);
    const news = mine.filter(({ kind }) => kind === "runs");
    if (!news.length || !isLoaded) return;
    const known = new Map(all.map((run) => [identityOf(run), run]));
    const added = [];
    for (const { changed, removed } of news) {
      for (const key of removed) known.delete(String(key));
      for (const run of changed) {
        const before = known.get(identityOf(run));
        if (!before) added.push(run);
        known.set(identityOf(run), { ...before, ...run });
      }
    }
    adopt([...known.values()]);
    follow(added);
    tell({ isNew: false });
  }

  /** New metrics are known as soon as a record of them comes. */
  function hearRecords(events) {
    let isChanged = false;
    for (const { kind, database, run: uuid, metrics } of events) {
      const run = kind === "records" && database === store.state.db && find(uuid);
      const fresh = run ? Object.keys(metrics).filter((metric) => !run.metrics?.includes(metric)) : [];
      if (!fresh.length) continue;
      run.metrics = [...(run.metrics ?? []), ...fresh];
      isChanged = true;
    }
    if (isChanged) tell({ isNew: false });
  }

  live.subscribe((events) => {
    hear(events);
    hearRecords(events);
  }, signal);
  store.subscribe((state, before) => {
    if (state.db !== before.db) {
      adopt([]);
      isLoaded = false;
      part = null;
      tell({ isNew: true });
      load();
    } else {
      if (state.runs !== before.runs || state.follow !== before.follow) tell({ isNew: false });
      if (state.runs !== before.runs || state.q !== before.q) complete();
    }
  }, signal);

  return {
    load,
    find,
    /** All runs, newest first. */
    get all() {
      return all;
    },
    get isLoaded() {
      return isLoaded;
    },
    /** What is to be known of the list where it holds a part of the runs, else null. */
    get part() {
      return part;
    },
    get chosen() {
      return chosenOf(all, find, store.state);
    },
    choose(runs) {
      store.set({ runs: runs.map(refOf).join(",") || NOBODY });
    },
    /** The newest from now on, whichever they are. */
    chooseNewest: () => store.set({ runs: "" }),
    toggle(run) {
      const now = this.chosen;
      this.choose(now.includes(run) ? now.filter((one) => one !== run) : [...now, run]);
    },
    /** Stop following: what is chosen now stays chosen; or follow again. */
    setFollowing(isWanted) {
      if (!isWanted && !store.state.runs) this.choose(this.chosen);
      store.set({ follow: isWanted ? "1" : "" });
    },
    remove(run) {
      adopt(all.filter((one) => one !== run));
      tell({ isNew: false });
    },
    subscribe(listener, own) {
      listeners.add(listener);
      own?.addEventListener("abort", () => listeners.delete(listener));
    },
  };
}
