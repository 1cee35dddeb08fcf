// The claim secret that a link or QR code brings along (`#claim=SECRET`): it is read once and
// taken out of the address bar and the history, so that no screenshot or bookmark keeps it.

let secret = "";

export function takeSecret(where: Location = location, past: History = history): void {
  const found = /^#(?:.*&)?claim=([^&]+)/.exec(where.hash)?.[1];
  if (found === undefined) return;
  try {
    secret = decodeURIComponent(found);
  } catch {
    secret = found;
  }
  past.replaceState(null, "", where.pathname + where.search);
}

/** It was used, or is of no use: the host has an owner. */
export function dropSecret(): void {
  secret = "";
}

export function claimSecret(): string {
  return secret;
}
