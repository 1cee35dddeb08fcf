// The version that runs, whether there is a newer one, and how it gets here.
import { useQuery } from "@tanstack/react-query";
import { queries } from "../../api/queries";
import type { Updates } from "../../api/types";
import { LinkButton } from "../../parts/button";
import { Shown } from "../../parts/errors";
import { Facts, Notice, PageHead, Panel } from "../../parts/layout";
import { t } from "../../strings";

const TONES: Record<Updates["state"], "ok" | "info" | "error"> = {
  none: "ok",
  available: "info",
  staged: "info",
  failed: "error",
  unmanaged: "info",
};

export function UpdatesPage() {
  const updates = useQuery(queries.updates);
  return (
    <>
      <PageHead title={t("nav.updates")} lead={t("updates.lead")}>
        <LinkButton to="/about" icon="about">
          {t("nav.about")}
        </LinkButton>
      </PageHead>
      <Shown query={updates}>
        {(data) => (
          <div className="flex max-w-3xl flex-col gap-6">
            <Notice tone={TONES[data.state]} title={t(`updates.${data.state}`)}>
              {data.detail}
            </Notice>
            <Panel>
              <Facts
                rows={[
                  [t("updates.runs"), data.version],
                  ...(data.channel ? ([[t("updates.channel"), data.channel]] as const) : []),
                  ...(data.available
                    ? ([[t("updates.newer"), data.available.version]] as const)
                    : []),
                ]}
              />
            </Panel>
            {data.available?.notes && (
              <Panel id="notes" title={t("updates.notes", { version: data.available.version })}>
                <p className="whitespace-pre-line">{data.available.notes}</p>
              </Panel>
            )}
          </div>
        )}
      </Shown>
    </>
  );
}
