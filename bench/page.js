// Watches the board page from inside, for `bench.page`; it runs before the page's own scripts.
// All times are milliseconds on the page's clock.
(() => {
  const PATIENCE = 20_000;
  const now = () => performance.now();

  /** The moment after the next frame was painted. */
  const painted = () =>
    new Promise((resolve) => {
      requestAnimationFrame(() => {
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = () => resolve(now());
        port2.postMessage(0);
      });
    });

  /** Asks at every change of the page and at every frame, until `found()` gives something. */
  function until(found) {
    return new Promise((resolve, reject) => {
      const end = now() + PATIENCE;
      let over = false;
      const ask = () => {
        if (over) return;
        const value = found();
        if (!value && now() < end) return;
        over = true;
        watcher.disconnect();
        if (value) resolve(value);
        else reject(new Error(`never: ${found}`));
      };
      const watcher = new MutationObserver(ask);
      const all = { subtree: true, childList: true, attributes: true, characterData: true };
      watcher.observe(document, all);
      const frame = () => {
        ask();
        if (!over) requestAnimationFrame(frame);
      };
      frame();
    });
  }

  // The socket's messages, before the page hears of them.
  const arrived = [];
  globalThis.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => arrived.push({ at: now(), data }));
    }
  };

  const card = (id) => document.getElementById(`card-${id}`);
  const moving = () =>
    document
      .getElementById("board")
      .getAnimations({ subtree: true })
      .some((one) => one.playState === "running" && one.effect.getKeyframes().some((frame) => "transform" in frame));

  globalThis.bench = {
    /** From the release of the mouse to the card at rest in its new column, confirmed, painted. */
    async settled(id, column) {
      let released;
      addEventListener("pointerup", (event) => (released = event.timeStamp), { capture: true, once: true });
      document.getElementById("announce").textContent = "";
      await until(() => released);
      const inPlace = () =>
        card(id)?.closest(".column").id === `col-${column}` && !document.body.classList.contains("is-dragging");
      await until(inPlace);
      const placed = (await painted()) - released;
      // Said when the server has taken the move.
      await until(() => document.getElementById("announce").textContent.includes(" is in "));
      const confirmed = now() - released;
      await until(() => inPlace() && !moving());
      return { placed, confirmed, settled: (await painted()) - released };
    },

    /** From the arrival of the event that has `mark` in it to the changed title, painted. */
    async shown(id, mark) {
      await until(() => card(id)?.querySelector(".card-title").textContent.includes(mark));
      const changed = now();
      const event = arrived.find(({ data }) => data.includes(mark));
      const drawn = await painted();
      return { changed: changed - event.at, painted: drawn - event.at, at: performance.timeOrigin + drawn };
    },

    /** The page's beginning: what was painted when, and when it was live. */
    async begun() {
      const paint = () => performance.getEntriesByName("first-contentful-paint")[0];
      await until(() => document.getElementById("live")?.dataset.state === "live");
      const live = now();
      await until(paint);
      const [navigation] = performance.getEntriesByType("navigation");
      return {
        firstPaint: paint().startTime,
        response: navigation.responseEnd,
        loaded: navigation.domContentLoadedEventEnd,
        live,
        cards: document.querySelectorAll(".card").length,
        bytes: navigation.decodedBodySize,
      };
    },
  };
})();
