// One application as a card: its art (or what stands for it), its title, and whether it runs.

import { BASE } from "../../api/client";
import type { App } from "../../api/types";
import { Badge, Status } from "../../parts/layout";
import { Cover } from "../../parts/signal";
import { t, told } from "../../strings";

/** Art of 2:3, as the launchers have it. `version` changes the address after an upload. */
export function Art({ app, version = 0 }: { app: App; version?: number }) {
  return (
    <span className="relative block aspect-[2/3] overflow-hidden rounded-control bg-raised">
      {app.has_art ? (
        <img
          src={`${BASE}/apps/${encodeURIComponent(app.id)}/art${version ? `?v=${version}` : ""}`}
          alt=""
          loading="lazy"
          className="absolute inset-0 size-full object-cover"
        />
      ) : (
        <Cover title={app.title} className="absolute inset-0 size-full" />
      )}
    </span>
  );
}

export function Card({ app, onOpen }: { app: App; onOpen: () => void }) {
  return (
    <li className={app.hidden ? "opacity-60" : ""}>
      <button
        type="button"
        onClick={onOpen}
        className="group block w-full rounded-control text-left"
      >
        <span className="block rounded-control ring-accent ring-offset-4 ring-offset-bg transition-shadow group-hover:ring-2">
          <Art app={app} />
        </span>
        <span className="mt-2.5 line-clamp-2 font-medium">{app.title}</span>
      </button>
      <span className="mt-0.5 flex flex-wrap items-center gap-2 text-sm text-dim">
        {app.running ? (
          <Status tone="accent" live>
            {t("library.running")}
          </Status>
        ) : (
          told(`source.${app.source}`, app.source)
        )}
        {app.hidden && <Badge>{t("library.is_hidden")}</Badge>}
      </span>
    </li>
  );
}
