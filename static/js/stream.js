// One stream of events for a page: a socket, else server-sent events, else asking again.
// Messages are `{type, payload, version}`; a version is seen once and in order.

const FIRST_WAIT = 1500;
const LONGEST_WAIT = 12000;
const SILENCE = 60000;
const POLL = 15000;

const WORDS = { live: "Live", reconnecting: "Reconnecting", offline: "Offline" };

export class Stream extends EventTarget {
  constructor(address, { version = 0, versioned = true } = {}) {
    super();
    this.address = new URL(address, location.href);
    this.version = version;
    this.versioned = versioned;
    this.failures = 0;
    this.watched = new Map();
    this.light = document.getElementById("live");
    addEventListener("online", () => this.connect());
    addEventListener("offline", () => this.show("offline", "This device has no network"));
    document.addEventListener("visibilitychange", () => document.hidden || this.#wake());
    this.connect();
  }

  show(state, why = "") {
    if (!this.light) return;
    this.light.dataset.state = state;
    this.light.title = why || WORDS[state];
    this.light.querySelector(".live-word").textContent = WORDS[state];
  }

  connect() {
    clearTimeout(this.timer);
    this.socket?.close();
    if (this.failures >= 4 && !this.everOpen) return this.#listen();
    const url = new URL(this.address);
    url.protocol = url.protocol.replace("http", "ws");
    if (this.versioned && this.version) url.searchParams.set("since", this.version);
    const socket = new WebSocket(url);
    this.socket = socket;
    socket.addEventListener("open", () => {
      this.everOpen = true;
      this.failures = 0;
      this.heard = Date.now();
      this.show("live");
      for (const [attemptId, sinceSeq] of this.watched) this.#watch(attemptId, sinceSeq());
      this.dispatchEvent(new Event("open"));
    });
    socket.addEventListener("message", (event) => this.#take(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => this.socket === socket && this.#lost(event));
    clearInterval(this.pulse);
    this.pulse = setInterval(() => this.#beat(socket), 20000);
  }

  send(type, payload) {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type, payload }));
  }

  /** Asks for one attempt's transcript; `sinceSeq()` is read again at every reconnect. */
  watch(attemptId, sinceSeq) {
    for (const other of this.watched.keys()) if (other !== attemptId) this.unwatch(other);
    this.watched.set(attemptId, sinceSeq);
    this.#watch(attemptId, sinceSeq());
  }

  unwatch(attemptId) {
    if (this.watched.delete(attemptId)) this.send("unwatch", { attemptId });
  }

  #watch(attemptId, sinceSeq) {
    this.send("watch", { attemptId, sinceSeq });
  }

  #take(message) {
    this.heard = Date.now();
    const { type, payload = {}, version } = message;
    if (type === "resync") this.resyncing = true;
    const isState = type === "state" || type === "resync";
    if (this.versioned && version && !isState) {
      if (version < this.version) return;
      this.version = version;
    } else if (isState && payload.version) {
      // A snapshot that is no newer than the page needs no work.
      if (!this.resyncing && payload.version <= this.version) return;
      this.resyncing = false;
      this.version = payload.version;
    }
    this.dispatchEvent(new CustomEvent("message", { detail: { type, payload, version } }));
  }

  #lost(event) {
    clearInterval(this.pulse);
    if (event.code === 4001) return this.show("offline", "Your session has ended. Load the page to sign in.");
    if (event.code === 1008 || event.code === 4403) {
      this.show("offline", "You no longer have access here.");
      return;
    }
    this.failures += 1;
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (this.failures - 1)) * (0.7 + Math.random() * 0.6);
    const quick = event.code === 4409 || event.code === 1001;
    this.show(navigator.onLine ? "reconnecting" : "offline", "The connection broke; trying again.");
    this.timer = setTimeout(() => this.connect(), quick ? 200 : wait);
  }

  #beat(socket) {
    if (socket.readyState !== WebSocket.OPEN) return;
    if (Date.now() - this.heard > SILENCE) return socket.close();
    this.send("ping", {});
  }

  #wake() {
    const stale = this.socket?.readyState > WebSocket.OPEN || Date.now() - (this.heard ?? 0) > SILENCE;
    if (this.socket && stale) this.connect();
  }

  #listen() {
    const url = new URL(this.address);
    url.pathname = url.pathname.replace("/ws", "/sse").replace("/sse/dashboard", "/sse");
    if (this.versioned && this.version) url.searchParams.set("since", this.version);
    const source = new EventSource(url);
    const types = [
      ..."state resync card_created card_updated card_moved card_deleted columns_changed".split(" "),
      ..."attempt_started attempt_status attempt_updated attempt_todos attempt_approval attempt_usage".split(" "),
      ..."git_status git_commit git_merge dashboard_overview conversation_item".split(" "),
    ];
    source.addEventListener("open", () => this.show("live", "Live (server-sent events)"));
    for (const type of types) {
      source.addEventListener(type, (event) => this.#take({ type, payload: JSON.parse(event.data) }));
    }
    source.addEventListener("error", () => {
      this.show("reconnecting", "The connection broke; trying again.");
      if (source.readyState === EventSource.CLOSED) this.#poll();
    });
  }

  #poll() {
    this.show("offline", "No live connection. The page asks again every 15 seconds.");
    setInterval(() => this.#take({ type: "resync", payload: {} }), POLL);
  }
}
