// A fake of the host for looking at the console and for its tests: the contract with made-up
// data, the host's strict content rules, and `dist/` beside it. Never shipped.
//
//   node dev/fake.mjs [--port 56000] [--unclaimed] [--empty] [--open] [--slow]
//
// The password is "correct horse", the claim secret "SECRET", the PIN 1234.
import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import * as data from "./data.mjs";

const has = (flag) => process.argv.includes(`--${flag}`);
const port = Number(process.argv[process.argv.indexOf("--port") + 1]) || 56_000;
const dist = fileURLToPath(new URL("../dist", import.meta.url));
const RULES =
  "default-src 'self'; img-src 'self' data: blob:; style-src 'self'; script-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

const state = JSON.parse(JSON.stringify({ ...data, claimed: !has("unclaimed") }));
if (has("empty")) {
  Object.assign(state, {
    devices: [],
    sessions: [],
    pairing: { window: null, attempts: [], knocks: [] },
  });
  Object.assign(state.host, { devices: 0, sessions: 0, health: { state: "ok", findings: [] } });
  Object.assign(state, { tokens: [], statistics: [], diagnostics: { ran: null, probes: [] } });
}
const browsers = new Set();
const listeners = new Set();
const kept = Array.from({ length: 120 }, (_, index) =>
  data.logLine(Date.now() - (120 - index) * 900),
);
let eventId = 100;
let tick = 0;

class Refusal extends Error {
  constructor(status, code, message, field) {
    super(message);
    Object.assign(this, { status, code, field });
  }
}
const now = () => Math.floor(Date.now() / 1000);

function tell(name, value) {
  eventId += 1;
  for (const one of listeners) {
    if (one.topics.size === 0 || one.topics.has(name)) one.send(name, value, eventId);
  }
}
function told(name) {
  Object.assign(state.host, { devices: state.devices.length, sessions: state.sessions.length });
  if (name === "devices") tell("devices", { devices: state.devices });
  if (name === "pairing") tell("pairing", state.pairing);
  if (name === "sessions") tell("sessions", { sessions: state.sessions });
  tell("host", state.host);
}
setInterval(() => {
  tick += 1;
  for (const one of listeners) {
    if (one.topics.has("figures")) {
      for (const session of state.sessions.filter((s) => s.state === "playing")) {
        one.send("figures", { session: session.id, figures: data.figures(tick) });
      }
    }
    if (one.topics.has("log") && tick % 4 === 0) one.send("log", data.logLine());
  }
}, 200);

function find(list, id) {
  const found = list.find((one) => one.id === id);
  if (!found) throw new Refusal(404, "not_found", "this is not there");
  return found;
}
function pair(name, protocol, grant = {}) {
  const device = {
    ...structuredClone(data.devices[0]),
    id: String(Math.random()).slice(2).padEnd(64, "0"),
    name,
    protocol,
    added: now(),
    seen: null,
    online: false,
    access: grant.access ?? data.devices[0].access,
    expires: grant.expires ?? null,
  };
  state.devices.push(device);
  told("devices");
  told("pairing");
  return device;
}
function drop(list, id) {
  find(list, id);
  list.splice(
    list.findIndex((one) => one.id === id),
    1,
  );
}
const me = () => ({
  kind: "browser",
  scope: "owner",
  expires_idle: now() + 1800,
  expires_absolute: now() + 43_200,
  name: null,
});

/** "METHOD /path" with `*` for an id → (body, id, query) => answer. */
const routes = {
  "GET /host": () => state.host,
  "POST /host/restart": () => {
    state.host.restart_needed = state.settings.restart_needed = false;
    for (const one of state.settings.settings) {
      if (one.pending !== undefined) Object.assign(one, { value: one.pending, pending: undefined });
    }
    told("host");
    tell("settings", { restart_needed: false });
  },
  "GET /host/public": () => ({
    name: "den",
    version: "0.5.0",
    claimed: state.claimed,
    setup_hint: "",
  }),
  "GET /me": me,
  "POST /password": (body) => {
    if (body.current !== "correct horse")
      throw new Refusal(401, "unauthenticated", "wrong", "current");
  },
  "GET /tokens": () => ({ tokens: state.tokens }),
  "POST /tokens": (body) => {
    const token = { id: `t${Date.now()}`, created: now(), expires: null, last_used: null, ...body };
    state.tokens.push(token);
    return { token, secret: "pf_3kq9vX2mT7yRwB8nLcZ4hJ6dSgPaEfUu" };
  },
  "DELETE /tokens/*": (_, id) => drop(state.tokens, id),
  "GET /devices": () => ({ devices: state.devices }),
  "PATCH /devices/*": (body, id) => {
    const device = Object.assign(find(state.devices, id), body);
    told("devices");
    return device;
  },
  "DELETE /devices/*": (_, id) => {
    drop(state.devices, id);
    told("devices");
  },
  "GET /pairing": () => state.pairing,
  "POST /pairing/window": (body) => {
    state.pairing.window = {
      id: "w1",
      pin: "482913",
      payload: "punktfunk://192.168.1.20:9777/pair?k=x",
      qr: data.qr(),
      closes: now() + 120,
      name: null,
      access: [],
      ...body,
    };
    told("pairing");
    return state.pairing.window;
  },
  "DELETE /pairing/window": () => {
    state.pairing.window = null;
    told("pairing");
  },
  "POST /pairing/attempts/*/pin": (body, id) => {
    drop(state.pairing.attempts, id);
    if (body.pin !== "1234") {
      told("pairing");
      throw new Refusal(422, "wrong_pin", "wrong", "pin");
    }
    return pair(body.name ?? "Moonlight", "gamestream");
  },
  "DELETE /pairing/attempts/*": (_, id) => drop(state.pairing.attempts, id),
  "POST /pairing/knocks/*": (body, id) => {
    drop(state.pairing.knocks, id);
    return pair(body.name ?? "A device", "native", body);
  },
  "DELETE /pairing/knocks/*": (_, id) => drop(state.pairing.knocks, id),
  "GET /sessions": () => ({ sessions: state.sessions }),
  "GET /sessions/*": (_, id) => ({ ...find(state.sessions, id), figures: data.figures(tick) }),
  "DELETE /sessions/*": (_, id) => {
    drop(state.sessions, id);
    told("sessions");
  },
  "POST /sessions/*/message": () => undefined,
  "POST /sessions/*/change": (body, id) => {
    const session = find(state.sessions, id);
    Object.assign(session.stream, body);
    told("sessions");
    return session;
  },
  "GET /apps": () => ({ apps: state.apps }),
  "POST /apps": (body) => {
    if (/^\s*$/.test(body.command ?? ""))
      throw new Refusal(422, "invalid", "a command is needed", "command");
    const app = {
      ...structuredClone(data.apps[6]),
      id: String(Date.now() % 100_000),
      running: false,
      ...body,
      launch: body.command,
    };
    state.apps.push(app);
    return app;
  },
  "PATCH /apps/*": (body, id) => {
    const { command, ...rest } = body;
    return Object.assign(find(state.apps, id), rest, command ? { command, launch: command } : {});
  },
  "DELETE /apps/*": (_, id) => drop(state.apps, id),
  "POST /apps/order": (body) => {
    state.apps.sort((a, b) => body.ids.indexOf(a.id) - body.ids.indexOf(b.id));
  },
  "POST /apps/scan": () => ({
    found: 6,
    by_source: { steam: 2, heroic: 1, lutris: 1, flatpak: 1, desktop: 1 },
    problems: ["lutris: its database is locked; close Lutris and scan again"],
  }),
  "PUT /apps/*/art": (body, id) => {
    Object.assign(find(state.apps, id), { has_art: true, art: body });
  },
  "DELETE /apps/*/art": (_, id) => {
    find(state.apps, id).has_art = false;
  },
  "POST /apps/*/launch": (body, id) => {
    const app = find(state.apps, id);
    const device = state.devices.find((one) => one.id === body.device) ?? state.devices[2];
    const session = {
      id: `s${Date.now()}`,
      device,
      app: { id, title: app.title },
      started: now(),
      state: "starting",
      stream: null,
    };
    if (state.sessions.some((one) => one.device.id === device.id)) {
      throw new Refusal(
        409,
        "conflict",
        `something runs for ${device.name} already: quit it first`,
      );
    }
    app.running = true;
    state.sessions.push(session);
    told("sessions");
    return session;
  },
  "POST /apps/*/quit": (_, id) => {
    find(state.apps, id).running = false;
    state.sessions = state.sessions.filter((one) => one.app.id !== id);
    told("sessions");
  },
  "GET /displays": () => state.displays,
  "GET /settings": () => state.settings,
  "PATCH /settings": (body) => {
    for (const [key, value] of Object.entries(body.values)) {
      const one = state.settings.settings.find((setting) => setting.key === key);
      if (!one) throw new Refusal(422, "invalid", "there is no such setting", key);
      if (value === "forbidden") throw new Refusal(422, "invalid", "this name is taken", key);
      const next = value ?? one.default;
      if (one.needs_restart) {
        one.pending = next;
        state.settings.restart_needed = state.host.restart_needed = true;
      } else Object.assign(one, { value: next });
      one.source = value === null ? "default" : "state";
    }
    told("host");
    return state.settings;
  },
  "GET /logs": (_, __, query) => {
    const levels = ["error", "warn", "info", "debug", "trace"];
    const most = levels.indexOf(query.get("level") ?? "trace");
    const lines = kept
      .filter((one) => levels.indexOf(one.level) <= most)
      .slice(-Number(query.get("limit") ?? 500));
    return { lines, next: lines.at(-1)?.id ?? 0 };
  },
  "GET /diagnostics": () => state.diagnostics,
  "POST /diagnostics/run": async () => {
    await new Promise((done) => setTimeout(done, 800));
    state.diagnostics = { ...structuredClone(data.diagnostics), ran: now() };
    return state.diagnostics;
  },
  "POST /diagnostics/fix/*": (_, id) =>
    Object.assign(find(state.diagnostics.probes, id), {
      severity: "ok",
      evidence: "mended",
      fix: null,
      fix_action: null,
    }),
  "GET /diagnostics/statistics": () => ({ sessions: state.statistics }),
  "GET /diagnostics/bundle": () => new Blob(["bundle"]),
  "POST /backup": () => new Blob(["backup"]),
  "POST /backup/restore": (body) => {
    if (body.passphrase !== "long enough")
      throw new Refusal(422, "invalid", "this passphrase does not open this backup", "passphrase");
  },
  "POST /factory-reset": (body) => {
    if (body.confirm !== state.host.name)
      throw new Refusal(422, "invalid", "type the name of the host", "confirm");
  },
  "GET /updates": () => state.updates,
  "GET /licences": () => ({ licences: state.licences }),
};

function events(request, response, query) {
  const topics = new Set((query.get("topics") ?? "").split(",").filter(Boolean));
  response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
  response.write(": hello\n\n");
  const one = {
    topics,
    send: (name, value, id) =>
      response.write(
        `${id ? `id: ${id}\n` : ""}event: ${name}\ndata: ${JSON.stringify(value)}\n\n`,
      ),
  };
  listeners.add(one);
  request.on("close", () => listeners.delete(one));
}

function enter(response, answer) {
  const key = String(Math.random()).slice(2);
  browsers.add(key);
  response.setHeader("Set-Cookie", `fake=${key}; HttpOnly; SameSite=Strict; Path=/`);
  return answer;
}

async function read(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const text = Buffer.concat(chunks).toString();
  return text ? JSON.parse(text) : {};
}

/** What needs no login. */
function outside(path, body, response) {
  if (path === "/login") {
    if (body.password !== "correct horse") throw new Refusal(401, "unauthenticated", "wrong");
    return enter(response, me());
  }
  if (path === "/claim") {
    if (body.secret !== "SECRET") throw new Refusal(403, "wrong_secret", "wrong", "secret");
    state.claimed = true;
    return enter(response, me());
  }
}

function routed(method, path, body, query) {
  for (const [route, answer] of Object.entries(routes)) {
    const [its, pattern] = route.split(" ");
    const match = new RegExp(`^${pattern.replace("*", "([^/]+)")}$`).exec(path);
    if (its === method && match) return answer(body, decodeURIComponent(match[1] ?? ""), query);
  }
  throw new Refusal(404, "not_found", "there is no such operation");
}

async function api(request, response, path, query) {
  const body = await read(request);
  const cookie = /fake=(\d+)/.exec(request.headers.cookie ?? "")?.[1];
  if (request.method !== "GET" && request.headers["x-punktfunk"] !== "1") {
    throw new Refusal(403, "csrf", "no");
  }
  const entered = outside(path, body, response);
  if (entered) return entered;
  if (path !== "/host/public" && !has("open") && !browsers.has(cookie)) {
    throw new Refusal(401, "unauthenticated", "log in");
  }
  if (path === "/logout") return void browsers.delete(cookie);
  if (path === "/events") return events(request, response, query) ?? "streams";
  const art = /^\/apps\/(.+)\/art$/.exec(path);
  if (art && request.method === "GET") {
    const given = find(state.apps, art[1]).art;
    if (!given) throw new Refusal(404, "not_found", "no art");
    return new Blob([Buffer.from(given.data, "base64")], { type: given.media_type });
  }
  return routed(request.method, path, body, query);
}

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
};
function file(response, path) {
  let at = join(dist, normalize(path));
  if (!at.startsWith(dist) || !existsSync(at) || statSync(at).isDirectory())
    at = join(dist, "index.html");
  response.writeHead(200, {
    "Content-Type": TYPES[extname(at)] ?? "application/octet-stream",
    "Content-Security-Policy": RULES,
  });
  createReadStream(at).pipe(response);
}

createServer(async (request, response) => {
  const url = new URL(request.url, "http://localhost");
  if (!url.pathname.startsWith("/api/v1/")) return file(response, url.pathname);
  try {
    if (has("slow")) await new Promise((done) => setTimeout(done, 600));
    const answer = await api(request, response, url.pathname.slice(7), url.searchParams);
    if (answer === "streams") return;
    if (answer instanceof Blob) {
      response.writeHead(200, { "Content-Type": answer.type || "application/octet-stream" });
      return response.end(Buffer.from(await answer.arrayBuffer()));
    }
    if (answer === undefined) return response.writeHead(204).end();
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(answer));
  } catch (refusal) {
    const { status = 500, code = "internal", message, field } = refusal;
    if (status === 500) console.error(refusal);
    response
      .writeHead(status, { "Content-Type": "application/json" })
      .end(JSON.stringify({ error: { code, message, field } }));
  }
}).listen(port, () => console.log(`http://localhost:${port}`));
