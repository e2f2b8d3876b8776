// The bell: the title counts what is unread; who wants it hears or sees what is new.

const title = document.title;
// Survives the way from page to page, so that nothing rings twice.
const KNOWN = "bell-newest";

function look() {
  const bell = document.getElementById("bell");
  if (!bell) return;
  const unread = Number(bell.dataset.unread ?? 0);
  document.title = unread ? `(${unread}) ${title}` : title;
  const { newest } = bell.dataset;
  if (newest === undefined) return;
  const known = sessionStorage.getItem(KNOWN);
  const isNew = known !== null && newest > known;
  if (known === null || isNew) sessionStorage.setItem(KNOWN, newest);
  if (isNew && "sound" in bell.dataset) ring();
  if (isNew && "browser" in bell.dataset) show(bell.dataset);
}

function ring() {
  const context = new AudioContext();
  const tone = context.createOscillator();
  const volume = context.createGain();
  volume.gain.setValueAtTime(0.08, context.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 0.4);
  tone.connect(volume).connect(context.destination);
  tone.start();
  tone.stop(context.currentTime + 0.4);
}

function show({ title: words, body, newest }) {
  if (!("Notification" in window) || Notification.permission !== "granted") return;
  // One tag: several open pages show it once.
  new Notification(words, { body, tag: newest }).onclick = () => window.focus();
}

// The browser asks once, and only after somebody wanted it and did something on the page.
document.addEventListener("click", () => {
  const bell = document.getElementById("bell");
  const wanted = bell && "browser" in bell.dataset && "Notification" in window;
  if (wanted && Notification.permission === "default") Notification.requestPermission();
});
document.addEventListener("htmx:afterSettle", look);
look();
