// Made-up data for the fake host: a household with a TV, a handheld and a guest. Nothing here
// is shipped; shapes are those of the contract (src/api/types.ts).

const now = Math.floor(Date.now() / 1000);
const hex = (text) =>
  [...text.repeat(64)]
    .map((letter, index) => ((letter.charCodeAt(0) * 7 + index * 13) % 16).toString(16))
    .join("")
    .slice(0, 64);
const all = ["view", "pointer", "keyboard", "pads", "clipboard", "microphone", "launch"];

export const host = {
  name: "den",
  version: "0.5.0",
  id: hex("host"),
  addresses: ["192.168.1.20", "fd00::1c2a:6fff:fe31:8d04", "den.local"],
  console_port: 47990,
  native_port: 9777,
  gamestream: true,
  gamestream_port: 47989,
  uptime: 4 * 86_400 + 5 * 3600,
  certificate_sha256: hex("certificate"),
  capabilities: ["gamestream", "native", "h264", "hevc", "av1", "10bit", "444", "microphone"],
  health: {
    state: "warning",
    findings: [
      {
        id: "net.rmem",
        severity: "warning",
        title: "The kernel's receive buffer is small (208 kB)",
        fix: "Raise it: sysctl -w net.core.rmem_max=8388608",
      },
      {
        id: "gpu.none",
        severity: "info",
        title: "No GPU found: the picture is encoded by the CPU",
        fix: null,
      },
    ],
  },
  sessions: 2,
  devices: 4,
  restart_needed: false,
};

export const devices = [
  {
    id: hex("tv"),
    name: "Living room TV",
    protocol: "gamestream",
    added: now - 40 * 86_400,
    expires: null,
    seen: now - 60,
    expired: false,
    access: [...all],
    online: true,
  },
  {
    id: hex("deck"),
    name: "Steam Deck",
    protocol: "native",
    added: now - 20 * 86_400,
    expires: null,
    seen: now - 20,
    expired: false,
    access: [...all, "power", "manage"],
    online: true,
  },
  {
    id: hex("phone"),
    name: "Noor's phone",
    protocol: "native",
    added: now - 3 * 86_400,
    expires: now + 4 * 86_400,
    seen: now - 7200,
    expired: false,
    access: ["view", "pads"],
    online: false,
  },
  {
    id: hex("old"),
    name: "Guest laptop",
    protocol: "gamestream",
    added: now - 90 * 86_400,
    expires: now - 86_400,
    seen: now - 3 * 86_400,
    expired: true,
    access: ["view", "pads", "launch"],
    online: false,
  },
];

/** Something that looks like a QR code and is none. */
export function qr() {
  const side = 33;
  const finder = (x, y) => {
    const d = Math.max(Math.abs(x - 3), Math.abs(y - 3));
    return d === 3 || d < 2;
  };
  const corners = [
    [0, 0],
    [side - 7, 0],
    [0, side - 7],
  ];
  const dark = (x, y) => {
    const corner = corners.find(
      ([cx, cy]) => Math.max(Math.abs(x - cx - 3), Math.abs(y - cy - 3)) <= 4,
    );
    if (corner) return finder(x - corner[0], y - corner[1]);
    return (x * x * 7 + y * 13 + x * y * 3) % 5 < 2;
  };
  return Array.from({ length: side }, (_, y) =>
    Array.from({ length: side }, (_, x) => (dark(x, y) ? "1" : "0")).join(""),
  );
}

export const pairing = {
  window: null,
  attempts: [{ id: "a1", address: "192.168.1.44", fingerprint: "9f31c07be2a4d815", waiting: 12 }],
  knocks: [
    {
      id: hex("knock"),
      name: "Workshop laptop",
      address: "192.168.1.61",
      first: now - 300,
      last: now - 40,
      count: 3,
    },
  ],
};

const why = [
  {
    stage: "display",
    choice: "own screen 3840 × 2160 at 60 Hz",
    reason: "what the device asked for; no monitor is touched",
  },
  { stage: "size", choice: "3840x2160@60", reason: "the device asked for it" },
  { stage: "encoder", choice: "x265", reason: "the first that works here; not NVENC: no driver" },
  {
    stage: "bitrate",
    choice: "40 Mbit/s",
    reason: "the device asked for 80; the network carried 44 when it was measured",
  },
  { stage: "audio", choice: "5.1", reason: "the device asked for it" },
  { stage: "encryption", choice: "video and sound", reason: "the device can, and the host asks" },
];

export const sessions = [
  {
    id: "s1",
    device: { id: devices[0].id, name: "Living room TV", protocol: "gamestream" },
    app: { id: "7", title: "Hollow Harbour" },
    started: now - 2800,
    state: "playing",
    stream: {
      width: 3840,
      height: 2160,
      fps: 60,
      codec: "HEVC",
      hdr: false,
      encoder: "libx265",
      bitrate_kbps: 40_000,
      started: now - 2700,
      audio_channels: 6,
      encrypted: true,
      why,
    },
  },
  {
    id: "s2",
    device: { id: devices[1].id, name: "Steam Deck", protocol: "native" },
    app: { id: "1", title: "Desktop" },
    started: now - 600,
    state: "away",
    stream: null,
  },
];

export function figures(tick) {
  const wave = (period, size, base) =>
    base + Math.sin(tick / period) * size + (Math.random() - 0.5) * size * 0.4;
  const spread = (p50) => ({ p50, p95: p50 * 1.6, max: p50 * 2.4 });
  const loss = Math.max(0, wave(40, 0.8, 0.3));
  return {
    at_ms: tick * 200,
    fps: Math.min(60, wave(30, 1.5, 59.4)),
    bitrate_kbps: wave(25, 5000, 34_000),
    frames: tick * 12,
    lost_frames: Math.floor(tick / 90),
    dropped_batches: 0,
    loss_percent: loss,
    parity_percent: 10 + loss * 6,
    repaired: tick * 2,
    rtt_ms: wave(18, 1.2, 4.5),
    limiter: tick % 200 > 150 ? "queue delay" : "agreed bitrate",
    latency_ms: {
      capture: spread(wave(12, 0.2, 0.9)),
      wait: spread(wave(15, 0.3, 0.6)),
      encode: spread(wave(22, 1.4, 6.2)),
      send: spread(wave(17, 0.5, 2.1)),
      network: spread(wave(19, 0.6, 2.2)),
      decode: spread(wave(29, 0.5, 3.4)),
    },
    bytes: tick * 850_000,
  };
}

const app = (id, title, source, more = {}) => ({
  id,
  title,
  source,
  launch: `${source} ${title.toLowerCase().replaceAll(" ", "-")}`,
  hidden: false,
  has_art: false,
  running: false,
  env: {},
  prep: [],
  prefer: {},
  editable: source === "custom",
  ...more,
});

export const apps = [
  app("1", "Desktop", "builtin", { running: true }),
  app("2", "Test card", "builtin"),
  app("7", "Hollow Harbour", "steam", { running: true }),
  app("8", "Kart of Kings", "steam"),
  app("9", "The Lighthouse Keeper's Very Long Winter", "heroic"),
  app("10", "Sternenfähre", "lutris"),
  app("11", "Retro shelf", "custom", {
    launch: "retroarch --fullscreen",
    command: "retroarch --fullscreen",
    dir: "/home/play/games",
    env: { MANGOHUD: "1" },
    prep: [{ do: "systemctl --user stop syncthing", undo: "systemctl --user start syncthing" }],
    prefer: { codec: "hevc", fps: 60 },
  }),
  app("12", "Film night", "flatpak"),
  app("13", "Paint", "desktop"),
  app("14", "Old thing", "desktop", { hidden: true }),
];

const choice = (id, title, state, reason) => ({ id, title, state, reason });
export const displays = {
  displays: [
    choice(
      "own",
      "punktfunk's own screen",
      "chosen",
      "works everywhere; each device gets its own size and rate",
    ),
    choice("sway", "sway, nested", "available", "sway 1.9 is installed; choose it in the settings"),
    choice("kwin", "KWin, virtual output", "unavailable", "no Plasma session runs for this user"),
    choice("gamescope", "gamescope", "unavailable", "gamescope is not installed"),
  ],
  encoders: [
    {
      ...choice("x264", "x264", "chosen", "the fastest H.264 that works here"),
      codec: "H.264",
      bit_depth: 8,
      chroma: "4:2:0",
      hardware: false,
      ms_per_frame: 4.1,
    },
    {
      ...choice("x265", "x265", "chosen", "the only HEVC that works here"),
      codec: "HEVC",
      bit_depth: 10,
      chroma: "4:4:4",
      hardware: false,
      ms_per_frame: 7.8,
    },
    {
      ...choice("aom", "libaom", "available", "works, and is slower than x265 at this size"),
      codec: "AV1",
      bit_depth: 10,
      chroma: "4:2:0",
      hardware: false,
      ms_per_frame: 19.4,
    },
    {
      ...choice("nvenc", "NVENC", "unavailable", "there is no NVIDIA driver"),
      codec: "HEVC",
      bit_depth: 10,
      chroma: "4:2:0",
      hardware: true,
      ms_per_frame: null,
    },
    {
      ...choice("vaapi", "VA-API", "unavailable", "there is no render node (/dev/dri/renderD128)"),
      codec: "H.264",
      bit_depth: 8,
      chroma: "4:2:0",
      hardware: true,
      ms_per_frame: null,
    },
  ],
};

const setting = (key, group, title, help, kind, value, more = {}) => ({
  key,
  group,
  title,
  help,
  kind,
  value,
  default: value,
  source: "default",
  source_file: null,
  needs_restart: false,
  advanced: false,
  locked: false,
  ...more,
});

export const settings = {
  groups: [
    { id: "host", title: "Host" },
    { id: "sessions", title: "Sessions" },
    { id: "video", title: "Video" },
    { id: "network", title: "Network" },
    { id: "api", title: "Console" },
  ],
  file: "/var/lib/punktfunk/settings.toml",
  restart_needed: false,
  settings: [
    setting(
      "host.name",
      "host",
      "Name",
      "How the host calls itself on the network.",
      { type: "text", max_bytes: 63, pattern: "^[A-Za-z0-9 .'-]+$" },
      "den",
      { default: "punktfunk", source: "state", source_file: "/var/lib/punktfunk/settings.toml" },
    ),
    setting(
      "host.gamestream",
      "host",
      "Moonlight clients",
      "Speak GameStream, which every Moonlight knows. Its pairing is weaker than punktfunk's own: turn it off where you do not trust the network.",
      { type: "bool" },
      true,
      { needs_restart: true },
    ),
    setting(
      "sessions.max",
      "sessions",
      "Players at once",
      "How many devices may play at the same time.",
      { type: "integer", min: 1, max: 16 },
      4,
    ),
    setting(
      "sessions.keep",
      "sessions",
      "Keep games for",
      "How long a game goes on after its device went away.",
      { type: "integer", min: 0, max: 86_400, unit: "s" },
      3600,
    ),
    setting(
      "sessions.takeover",
      "sessions",
      "Take over",
      "Whose game a device may take over.",
      {
        type: "choice",
        options: [
          { value: "never", title: "Nobody's" },
          { value: "household", title: "The household's" },
        ],
      },
      "never",
    ),
    setting(
      "video.max_bitrate",
      "video",
      "Highest bitrate",
      "Devices that ask for more get this.",
      { type: "integer", min: 500, max: 500_000, unit: "kbit/s" },
      150_000,
      { source: "etc", source_file: "/etc/punktfunk/punktfunk.toml", default: 100_000 },
    ),
    setting(
      "video.parity",
      "video",
      "Least parity",
      "Share of error correction that is always sent.",
      { type: "number", min: 0, max: 50, unit: "%" },
      5,
      { advanced: true },
    ),
    setting(
      "network.port",
      "network",
      "Base port",
      "All ports move with it.",
      { type: "integer", min: 1024, max: 65_000 },
      47_989,
      { needs_restart: true, locked: true, source: "flag" },
    ),
    setting(
      "api.hosts",
      "api",
      "Names of the console",
      "Other names under which browsers may open the console.",
      { type: "list", max_items: 16, max_bytes: 253, pattern: "^[a-z0-9.-]+$" },
      ["den.example.org"],
      { default: [], source: "etc", source_file: "/etc/punktfunk/punktfunk.toml", source_line: 12 },
    ),
    setting(
      "network.interfaces",
      "network",
      "Interfaces",
      "Names of interfaces to listen on, apart by commas. Empty: all.",
      { type: "text", max_bytes: 200 },
      "",
      { advanced: true },
    ),
    setting(
      "api.metrics",
      "api",
      "Metrics",
      "Answer at /metrics for Prometheus, to whoever has a token for it.",
      { type: "bool" },
      false,
    ),
  ],
};

const probe = (id, area, title, severity, evidence, fix = null, fix_action = null) => ({
  id,
  area,
  title,
  severity,
  evidence,
  fix,
  fix_action,
});
export const diagnostics = {
  ran: now - 3600,
  probes: [
    probe(
      "gpu.present",
      "gpu",
      "A GPU is there",
      "info",
      "no render node in /dev/dri",
      "Nothing to do for software encoding.",
    ),
    probe(
      "encoders.h264",
      "encoders",
      "H.264 can be encoded",
      "ok",
      "x264: 4.1 ms for a frame of 1080p",
    ),
    probe(
      "encoders.hevc",
      "encoders",
      "HEVC can be encoded",
      "ok",
      "x265: 7.8 ms for a frame of 1080p",
    ),
    probe(
      "input.uinput",
      "input",
      "Gamepads can be made",
      "error",
      "/dev/uinput: permission denied",
      "Start the broker: systemctl enable --now punktfunk-inputd",
      "start_inputd",
    ),
    probe("input.pads", "input", "Force feedback", "skipped", "needs /dev/uinput"),
    probe(
      "network.rmem",
      "network",
      "Receive buffers are large enough",
      "warning",
      "net.core.rmem_max is 212992",
      "Raise it: sysctl -w net.core.rmem_max=8388608",
      "raise_buffers",
    ),
    probe(
      "network.ports",
      "network",
      "The ports are free",
      "ok",
      "9777, 47984, 47989, 47990, 48010 are ours",
    ),
    probe("network.mdns", "network", "The host can be found", "ok", "two answers on 224.0.0.251"),
    probe("audio.pipewire", "audio", "PipeWire runs", "ok", "1.2.7"),
    probe("system.clock", "system", "The clock is right", "ok", "synchronised, off by 2 ms"),
    probe("system.disk", "system", "There is room on the disk", "ok", "212 GB are free"),
  ],
};

export const tokens = [
  {
    id: "t1",
    name: "Grafana",
    scope: "metrics",
    created: now - 9 * 86_400,
    expires: null,
    last_used: now - 15,
  },
  {
    id: "t2",
    name: "Home automation",
    scope: "play",
    created: now - 60 * 86_400,
    expires: now + 30 * 86_400,
    last_used: now - 86_400,
  },
];

export const updates = {
  version: "0.5.0",
  channel: "stable",
  available: { version: "0.6.0", notes: "Pictures in slices: 3 ms less.\nGamepads with motion." },
  state: "available",
  detail: "Installed at the next restart, when nobody plays.",
};

export const licences = [
  {
    name: "axum",
    version: "0.8.6",
    licence: "MIT",
    text: "Permission is hereby granted, free of charge, to any person…",
  },
  { name: "quinn", version: "0.11.9", licence: "MIT OR Apache-2.0", text: null },
  { name: "react", version: "19.3.1", licence: "MIT", text: null },
];

const SAYS = [
  ["info", "punktfunk_host::serve", "a client connected", { address: "192.168.1.44:51622" }],
  ["debug", "punktfunk_host::send", "paced a frame", { datagrams: "42", microseconds: "1830" }],
  [
    "info",
    "punktfunk_host::session",
    "the bitrate follows the network",
    { kbps: "34000", limiter: "queue delay" },
  ],
  ["warn", "punktfunk_host::send", "the queue was full, a batch was dropped", { session: "s1" }],
  ["trace", "punktfunk_host::input", "pointer moved", {}],
  [
    "error",
    "punktfunk_host::input",
    "gamepads cannot be made",
    { reason: "/dev/uinput: permission denied" },
  ],
  ["info", "punktfunk_host::api", "the owner logged in", { address: "192.168.1.9" }],
];
let line = 0;
export function logLine(at = Date.now()) {
  const [level, target, message, fields] = SAYS[(line * 5) % SAYS.length];
  return { id: ++line, at_ms: at, level, target, message, fields };
}

const end = figures(13_500);
export const statistics = [
  {
    started: now - 86_400,
    ended: now - 86_400 + 5400,
    device: sessions[0].device,
    app: sessions[0].app,
    stream: sessions[0].stream,
    figures: end,
  },
  {
    started: now - 2 * 86_400,
    ended: now - 2 * 86_400 + 900,
    device: sessions[1].device,
    app: sessions[1].app,
    stream: { ...sessions[0].stream, width: 1280, height: 800, codec: "H.264" },
    figures: { ...end, loss_percent: 0.1 },
  },
];
