// What the server can be asked. Every function takes { … } and an AbortSignal and returns what the
// answer's JSON says; what fails throws { status, message }, status 0 where nobody answered.

const NO_ANSWER = "The server does not answer; is `sgtrack board` still running?";

/**
 * `send` is fetch. `db` names the experiment; `id` is the number of a run or its uuid. A list says a
 * parameter several times; empty ones are left out.
 */
export function createApi(send) {
  async function ask(path, parameters, signal, options = {}) {
    let answer;
    try {
      answer = await send(`${path}${query(parameters)}`, { signal, cache: "no-cache", ...options });
    } catch (error) {
      if (isAborted(error)) throw error;
      throw { status: 0, message: NO_ANSWER };
    }
    const said = await answer.json().catch((error) => {
      if (isAborted(error)) throw error;
      return null;
    });
    if (answer.ok && said !== null) return said;
    throw { status: answer.status, message: said?.error ?? `The server answered ${answer.status}.` };
  }
  const get = (path) => (parameters, signal) => ask(path, parameters, signal);
  const ofRun = (part) => ({ id, ...parameters }, signal) =>
    ask(`/api/runs/${encodeURIComponent(id)}${part}`, parameters, signal);

  return {
    config: get("/api/config"),
    databases: get("/api/databases"),
    /** Runs as lists show them: { db, offset, limit, metric, statistic }, the last two lists. */
    list: get("/api/list"),
    /** One metric of several runs: { db, metric, runs, start, end, points }. */
    curves: get("/api/curves"),
    hparams: get("/api/hparams"),
    /** Where a run is, as a row of a list without its statistics. */
    find: get("/api/find"),
    history: get("/api/history"),
    diff: get("/api/diff"),
    run: ofRun(""),
    /** A run as the report has a test. */
    details: ofRun("/details"),
    runCurves: ofRun("/curves"),
    records: ofRun("/records"),
    metrics: ofRun("/metrics"),
    summary: ofRun("/summary"),
    graphs: ofRun("/graphs"),
    histograms: ofRun("/histograms"),
    images: ofRun("/images"),
    texts: ofRun("/texts"),
    /** `uuid` has to be that of the run: who deletes one knows which. */
    deleteRun: ({ id, uuid, ...parameters }, signal) =>
      ask(`/api/runs/${encodeURIComponent(id)}`, parameters, signal, {
        method: "DELETE",
        headers: { "Content-Type": "application/json", "X-SGTrack": "1" },
        body: JSON.stringify({ confirm: uuid }),
      }),
  };
}

/** Whether a request ended because nobody wants its answer any more. */
export function isAborted(error) {
  return error?.name === "AbortError";
}

function query(parameters) {
  const said = Object.entries(parameters ?? {}).flatMap(([name, value]) =>
    [value].flat().filter((one) => one !== "" && one != null).map((one) => [name, one]),
  );
  return said.length ? `?${new URLSearchParams(said)}` : "";
}
