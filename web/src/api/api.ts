// Every operation of the contract by its operationId, typed. Pages call these and nothing
// else; there is no caching here (TanStack Query does that, see `queries.ts`).
import { call, download } from "./client";
import type {
  App,
  AppChange,
  Area,
  Choices,
  Device,
  DeviceChange,
  Diagnostics,
  Host,
  Licence,
  Logs,
  Me,
  NewApp,
  NewToken,
  Pairing,
  PairingTerms,
  PairingWindow,
  PastSession,
  Probe,
  PublicHost,
  Scan,
  Session,
  Settings,
  Token,
  TokenRequest,
  Updates,
  Value,
} from "./types";

const id = encodeURIComponent;

export const host = {
  show: () => call<Host>("GET", "/host"),
  public: () => call<PublicHost>("GET", "/host/public"),
  restart: () => call<void>("POST", "/host/restart"),
  licences: () => call<{ licences: Licence[] }>("GET", "/licences"),
};

export const login = {
  claim: (secret: string, password: string) => call<Me>("POST", "/claim", { secret, password }),
  login: (password: string) => call<Me>("POST", "/login", { password }),
  logout: () => call<void>("POST", "/logout"),
  me: () => call<Me>("GET", "/me"),
  change: (current: string, next: string) =>
    call<void>("POST", "/password", { current, new: next }),
};

export const tokens = {
  list: () => call<{ tokens: Token[] }>("GET", "/tokens"),
  create: (body: TokenRequest) => call<NewToken>("POST", "/tokens", body),
  revoke: (token: string) => call<void>("DELETE", `/tokens/${id(token)}`),
};

export const devices = {
  list: () => call<{ devices: Device[] }>("GET", "/devices"),
  change: (device: string, body: DeviceChange) =>
    call<Device>("PATCH", `/devices/${id(device)}`, body),
  revoke: (device: string) => call<void>("DELETE", `/devices/${id(device)}`),
};

export const pairing = {
  show: () => call<Pairing>("GET", "/pairing"),
  open: (terms: PairingTerms) => call<PairingWindow>("POST", "/pairing/window", terms),
  close: () => call<void>("DELETE", "/pairing/window"),
  pin: (attempt: string, pin: string, name?: string) =>
    call<Device>("POST", `/pairing/attempts/${id(attempt)}/pin`, name ? { pin, name } : { pin }),
  refuseAttempt: (attempt: string) => call<void>("DELETE", `/pairing/attempts/${id(attempt)}`),
  approve: (knock: string, terms: PairingTerms) =>
    call<Device>("POST", `/pairing/knocks/${id(knock)}`, terms),
  refuse: (knock: string) => call<void>("DELETE", `/pairing/knocks/${id(knock)}`),
};

export const sessions = {
  list: () => call<{ sessions: Session[] }>("GET", "/sessions"),
  show: (session: string) => call<Session>("GET", `/sessions/${id(session)}`),
  stop: (session: string) => call<void>("DELETE", `/sessions/${id(session)}`),
  message: (session: string, text: string) =>
    call<void>("POST", `/sessions/${id(session)}/message`, { text }),
  change: (session: string, bitrate_kbps: number) =>
    call<Session>("POST", `/sessions/${id(session)}/change`, { bitrate_kbps }),
};

export const apps = {
  list: () => call<{ apps: App[] }>("GET", "/apps"),
  add: (body: NewApp) => call<App>("POST", "/apps", body),
  change: (app: string, body: AppChange) => call<App>("PATCH", `/apps/${id(app)}`, body),
  remove: (app: string) => call<void>("DELETE", `/apps/${id(app)}`),
  reorder: (ids: string[]) => call<void>("POST", "/apps/order", { ids }),
  scan: () => call<Scan>("POST", "/apps/scan"),
  setArt: (app: string, media_type: string, data: string) =>
    call<void>("PUT", `/apps/${id(app)}/art`, { media_type, data }),
  clearArt: (app: string) => call<void>("DELETE", `/apps/${id(app)}/art`),
  launch: (app: string, device?: string) =>
    call<Session>("POST", `/apps/${id(app)}/launch`, device ? { device } : {}),
  quit: (app: string) => call<void>("POST", `/apps/${id(app)}/quit`),
};

export const displays = {
  list: () => call<Choices>("GET", "/displays"),
};

export const settings = {
  list: () => call<Settings>("GET", "/settings"),
  change: (values: Record<string, Value>) => call<Settings>("PATCH", "/settings", { values }),
};

export const logs = {
  list: (query: {
    after?: number;
    level?: string;
    target?: string;
    text?: string;
    limit?: number;
  }) => {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== "") search.set(name, String(value));
    }
    return call<Logs>("GET", `/logs?${search}`);
  },
};

export const diagnostics = {
  show: () => call<Diagnostics>("GET", "/diagnostics"),
  run: (area?: Area) => call<Diagnostics>("POST", "/diagnostics/run", area ? { area } : {}),
  fix: (probe: string) => call<Probe>("POST", `/diagnostics/fix/${id(probe)}`),
  bundle: () => download("GET", "/diagnostics/bundle"),
  statistics: () => call<{ sessions: PastSession[] }>("GET", "/diagnostics/statistics"),
};

export const backup = {
  save: (passphrase: string) => download("POST", "/backup", { passphrase }),
  restore: (passphrase: string, data: string) =>
    call<void>("POST", "/backup/restore", { passphrase, data }),
  reset: (confirm: string) => call<void>("POST", "/factory-reset", { confirm }),
};

export const updates = {
  show: () => call<Updates>("GET", "/updates"),
};
